"""The command `watch`."""

from __future__ import annotations

import pandas as pd

from particlespy_ml.cli import main
from tests.conftest import TWO, as_image, disk_frame


def run(folder, *arguments):
    given = ("--model", "none", "--no-page", "--poll", 0.02, "--once")
    return main(["watch", str(folder), *map(str, (*given, *arguments))])


def test_a_folder_once(tmp_path, two_disks, capsys):
    two_disks.save(tmp_path / "in" / "still.hspy")
    out = tmp_path / "out"
    assert run(tmp_path / "in", "--out", out, "--min-diameter", 0.5, "--report") == 0
    printed = capsys.readouterr().out
    assert "still: 2 particles, coverage" in printed and "2 particles in 1 images" in printed
    assert len(pd.read_csv(out / "particles.csv")) == 2
    assert "particlespy-ml watch" in (out / "report.html").read_text(encoding="utf-8")
    assert run(tmp_path / "in", "--out", out) == 2  # other settings
    assert "min_diameter" in capsys.readouterr().err


def test_what_cannot_be_done_is_said(tmp_path, capsys):
    image = as_image(disk_frame(*TWO))
    image.axes_manager.signal_axes.set(units="")
    image.save(tmp_path / "plain.hspy")
    assert run(tmp_path) == 1
    assert "could not be done: plain.hspy" in capsys.readouterr().out
    assert run(tmp_path / "none") == 2 and "no folder" in capsys.readouterr().err
    assert run(tmp_path, "--out", tmp_path / "b", "--if", "count >") == 2
