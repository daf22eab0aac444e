"""On `dask.distributed`: the same table in other processes, and a worker that dies costs nothing."""

import os
import signal
import time

import numpy as np
import pytest

import particlespy_ml as pml

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

FRAMES = 12


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes with one thread each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
    ) as local:
        yield local


@pytest.fixture
def client(cluster):
    cluster.scale(2)
    with distributed.Client(cluster) as connected:
        connected.wait_for_workers(2, timeout=30)
        yield connected


@pytest.fixture
def movie(make_frame, make_image):
    """Frames with 0, 1 and 2 particles."""
    places = [((40, 40), (80, 110)), (), ((60, 70),)]
    frames = [make_frame(places[i % 3], [14 + i % 4] * len(places[i % 3]), seed=i) for i in range(FRAMES)]
    return make_image(np.stack(frames), names=("time",))


def check_same(table, expected):
    assert not table._lazy and type(table).__name__ == "ParticleTable"
    assert table.columns == expected.columns and table.classes == expected.classes
    for rows, wanted in zip(table.data.ravel(), expected.data.ravel(), strict=True):
        assert rows.dtype == wanted.dtype and len(rows) == len(wanted)
        for name in rows.dtype.names:
            if name.startswith("probability"):
                np.testing.assert_allclose(rows[name], wanted[name], atol=1e-6)
            else:
                np.testing.assert_array_equal(rows[name], wanted[name])


def leave_a_trace(block, folder):
    """Hand a block on, and leave a file that names the process that had it in hand."""
    with open(os.path.join(folder, f"{os.getpid()}-{time.time_ns()}"), "w"):
        pass
    return block


def slow(block, folder):
    time.sleep(0.2)
    return leave_a_trace(block, folder)


def traced(image, function, folder):
    lazy = image.as_lazy()
    data = lazy.data.rechunk((1, -1, -1))
    lazy.data = data.map_blocks(function, folder=str(folder), dtype=data.dtype, meta=np.empty((0, 0, 0), data.dtype))
    return lazy


def processes(folder):
    return {int(name.split("-")[0]) for name in os.listdir(folder)}


def test_the_same_table_in_other_processes(movie, model_folder, client, tmp_path):
    expected = movie.classify_particles(model_folder, show_progressbar=False)
    lazy = traced(movie, leave_a_trace, tmp_path)
    table, labels = lazy.classify_particles(model_folder, return_labels=True)
    pml.compute_together(table, labels, show_progressbar=False)
    check_same(table, expected)
    np.testing.assert_array_equal(labels.data, movie.segment_particles(show_progressbar=False).data)
    assert len(os.listdir(tmp_path)) == FRAMES + 3  # each frame once, and three that speak for the series
    assert processes(tmp_path) <= set(client.run(os.getpid).values())


def test_compute_of_the_signal_itself(movie, model_folder, client):
    expected = movie.classify_particles(model_folder, show_progressbar=False)
    table = movie.as_lazy().classify_particles(model_folder)
    table.compute(show_progressbar=False)
    check_same(table, expected)


def test_every_way_to_segment(movie, client):
    """Whatever a user gives must reach the other process: thresholds, trained classifiers, labels."""
    frame = movie.inav[0]
    painted = np.zeros(frame.data.shape, int)
    painted[:10, :10], painted[36:44, 36:44] = 1, 2
    trained = frame.train_segmentation(painted)
    labels = movie.segment_particles(show_progressbar=False)
    for keywords in ({"method": "otsu", "min_size": 50}, {"method": trained}, {"labels": labels}):
        expected = movie.measure_particles(show_progressbar=False, **keywords)
        table = movie.as_lazy().measure_particles(**keywords)
        table.compute(show_progressbar=False)
        check_same(table, expected)


def test_a_stack_of_particles(movie, client):
    table = movie.measure_particles(show_progressbar=False)
    expected = movie.extract_particles(table, box="48 px")
    stack = movie.as_lazy().extract_particles(table, box="48 px")
    stack.compute(show_progressbar=False)
    np.testing.assert_array_equal(stack.data, expected.data)


def test_an_error_in_another_process_says_which_frame(movie, model_folder, client):
    movie.data[7, 0, 0] = np.nan
    table = movie.as_lazy().classify_particles(model_folder)
    with pytest.raises(ValueError, match=r"Frame \(?7.*not finite"):
        table.compute(show_progressbar=False)


def test_a_worker_killed_in_the_middle_costs_nothing(movie, model_folder, client, tmp_path):
    expected = movie.classify_particles(model_folder, show_progressbar=False)
    lazy = traced(movie, slow, tmp_path)
    table = lazy.classify_particles(model_folder)
    future = client.compute(table.data)
    deadline = time.monotonic() + 30
    while len(os.listdir(tmp_path)) < 4:
        assert time.monotonic() < deadline, "the frames are not read"
        time.sleep(0.02)
    victim = sorted(processes(tmp_path))[0]
    assert victim in client.run(os.getpid).values()
    os.kill(victim, signal.SIGKILL)
    assert not future.done()
    table.data = future.result(timeout=45)
    table._lazy = False
    table._assign_subclass()
    check_same(table, expected)
