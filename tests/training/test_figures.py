"""Figures of evaluations."""

import pytest

from particlespy_ml.training.figures import draw_segmentation

SCORE = {"value": 0.8, "interval": [0.7, 0.9]}
DOSES = {"100": {"iou": SCORE, "f1": SCORE}, "1000": {"iou": SCORE, "f1": SCORE}}


@pytest.mark.parametrize(
    "names", [("nominal", "harsh"), ("nominal", "harsh", "nominal on crystals", "harsh on crystals")]
)
def test_every_condition_of_a_finder_has_a_panel(names, tmp_path):
    (path,) = draw_segmentation(dict.fromkeys(names, DOSES), tmp_path)
    assert path.name == "scores.png" and path.stat().st_size > 10_000
