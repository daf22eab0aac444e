"""Brush strokes for segmentations that are trained."""

import numpy as np
import pytest


@pytest.fixture
def painted():
    """Brush strokes on both particles and on the background of the first frame of the series."""
    strokes = np.zeros((128, 160), np.uint8)
    strokes[36:44, 36:44] = strokes[75:90, 100:115] = 2
    strokes[5:10, :] = strokes[100:120, 10:40] = 1
    return strokes
