"""The first look says what is wrong, and nothing of an image that is right."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.live.first_pass import FIRST, look_at
from tests.conftest import TWO, disk_frame

PIXEL = (0.04, 0.04)


def look(frame, pixel=PIXEL, labels=None, **keywords):
    labels = (ndi.label(ndi.gaussian_filter(frame, 2) > 2.5)[0]) if labels is None else labels
    return look_at(frame, pixel, lambda: labels, **keywords)[0]


def test_an_image_that_is_right():
    row = look(disk_frame(*TWO))
    assert set(FIRST) <= set(row) and row["flags"] == "" and row["count"] == 2
    assert abs(row["coverage"] - np.pi * (14**2 + 20**2) / (128 * 160)) < 0.01
    assert row["focus"] > 0.5 and row["focus_reason"]
    assert all(value is None or not isinstance(value, float) or np.isfinite(value) for value in row.values())


def test_what_is_wrong_is_said():
    frame = disk_frame(*TWO)
    jumps = np.cumsum(np.random.default_rng(0).choice([0, 0.3, -0.3], size=len(frame)))[:, None]
    assert "charging" in look(frame + jumps)["flags"]
    assert "charging" not in look(frame + jumps, scanned=False)["flags"]
    assert "saturated" in look(np.minimum(frame, 2.6))["flags"]
    assert "out of focus" in look(ndi.gaussian_filter(frame, 20), labels=np.ones(frame.shape, int))["flags"]
    assert "no particles" in look(frame, labels=np.zeros(frame.shape, int))["flags"]
    assert "cannot be right" in look(frame, (1e-5, 1e-5))["flags"]
    row = look(frame, None)
    assert "not calibrated" in row["flags"] and row["count"] is None
    assert look(np.ones((8, 8)), labels=np.zeros((8, 8), int))["focus"] is None
