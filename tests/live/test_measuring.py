"""Images that are measured in another process, and in this one."""

import signal

import pandas as pd
import pytest

from particlespy_ml.live import measuring
from particlespy_ml.live.measuring import InAnotherProcess, InThisProcess
from particlespy_ml.live.session import Analysis
from tests.conftest import TWO, as_image, disk_frame
from tests.live.conftest import THREE


@pytest.fixture
def image():
    return as_image(disk_frame(*TWO), "HAADF", scale=0.04)


def test_another_process_measures_and_draws_as_this_one(image, tmp_path):
    apart, here = tmp_path / "apart", tmp_path / "here"
    apart.mkdir(), here.mkdir()
    analysis = Analysis("HAADF", model=None)
    _, labels = analysis.look(image)
    other, this = InAnotherProcess(analysis, apart), InThisProcess(analysis, here)
    try:
        made = [one.measure(image, False, labels, "a", "a.tif") for one in (other, this)]
        assert not other.gives_way
        assert made[0].summary == made[1].summary and made[0].summary["particles"] == 2
        pd.testing.assert_frame_equal(made[0].frame, made[1].frame)
        for one in (other, this):
            one.draw("a")
        assert (apart / "a.csv").read_bytes() == (here / "a.csv").read_bytes()
        assert (apart / "a.png").read_bytes() == (here / "a.png").read_bytes()
        image.axes_manager.signal_axes.set(units="", scale=1.0)
        with pytest.raises(ValueError) as told:
            this.measure(image, False, None, "b", "b.tif")
        with pytest.raises(RuntimeError) as there:
            other.measure(image, False, None, "b", "b.tif")
        assert str(told.value) in str(there.value)
    finally:
        other.close()


def test_a_process_that_dies_costs_one_image(image, tmp_path):
    other = InAnotherProcess(Analysis("HAADF", model=None), tmp_path)
    try:
        other.start()
        other._process.kill()
        with pytest.raises(RuntimeError, match="the process that measures images ended"):
            other.measure(image, False, None, "a", "a.tif")
        assert other.measure(image, False, None, "a", "a.tif").summary["particles"] == 2
    finally:
        other.close()
    assert other._process is None


def test_what_ends_the_watcher_does_not_end_a_measurement(image, tmp_path):
    other = InAnotherProcess(Analysis("HAADF", model=None), tmp_path)
    try:
        other.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            other._process.send_signal(number)
        assert other.measure(image, False, None, "a", "a.tif").summary["particles"] == 2
    finally:
        other.close()


def test_a_movie_of_gigabytes_stays_in_this_process(image, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "_LARGEST", 1000)
    other = InAnotherProcess(Analysis("HAADF", model=None), tmp_path)
    monkeypatch.setattr(other, "_ask", lambda message: None)
    assert other.measure(image, False, None, "a", "a.tif").summary["particles"] == 2
    other.draw("a")
    assert other.gives_way and (tmp_path / "a.png").is_file()
    other.close()


def test_what_cannot_be_sent_is_used_in_this_process(image, tmp_path):
    other = InAnotherProcess(Analysis("HAADF", model=None, method=lambda frame: disk_labels(frame)), tmp_path)
    assert not other.gives_way
    other.start()
    assert other.gives_way and other._process is None
    other.close()


def disk_labels(frame):
    return (frame > frame.mean()).astype(int)


def test_a_watcher_of_two_processes(save, watching, results, tmp_path):
    save("two.hspy")
    save("three.hspy", THREE)
    watcher = watching(own_process=True, pictures=True)
    watcher.run(until_idle=True)
    assert results() == ({"two.hspy": "done", "three.hspy": "done"}, {"two.hspy": 2, "three.hspy": 3})
    assert all((tmp_path / "results" / f"{name}.png").is_file() for name in ("two", "three"))
