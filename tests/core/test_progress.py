"""Bars inside of one frame: only where asked for, only after a while, and none beside others."""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.core import progress


@pytest.mark.parametrize("wanted", [True, False])
def test_long_frames_show_their_progress(two_disks, model_folder, wanted, capsys, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    two_disks.classify_particles(model_folder, show_progressbar=wanted)
    assert ("Classifying" in capsys.readouterr().err) == wanted


def test_short_ones_show_none(two_disks, model_folder, capsys):
    two_disks.classify_particles(model_folder, show_progressbar=True)
    assert "Classifying" not in capsys.readouterr().err


def test_frames_of_a_series_have_the_bar_of_the_series(series, model_folder, capsys, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    series.classify_particles(model_folder, show_progressbar=True)
    printed = capsys.readouterr()
    assert "Classifying" not in printed.err and "100%" in printed.out


def test_bars_end_with_their_work():
    with progress.bars_shown(True), progress.bars_shown(False), progress.bar(2, "Doing", "step") as steps:
        assert steps.disable
    with progress.bar(2, "Doing", "step") as steps:
        assert steps.disable and np.isfinite(steps.n)
