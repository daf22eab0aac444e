"""A quick count is that of the whole way where nothing slow decides, and near it, and said to be so, elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import particlespy_ml as pml
import particlespy_ml.data._supports as supports
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.segmentation import quick as quick_module
from particlespy_ml.segmentation.choose import choose_segmenter
from particlespy_ml.segmentation.quick import ON_SUPPORT, ONE_VIEW, QuickSegmenter


def made(signal, method=None, **options):
    """The segmenter of the whole way, and the quick one."""
    segmenter, _ = choose_segmenter(ImageFrames.of(signal), method, None, False, options)
    return segmenter, QuickSegmenter.of(segmenter)


def share(one, other):
    """Pixels that two ways agree on, of all that one of them has."""
    return np.count_nonzero((one > 0) & (other > 0)) / np.count_nonzero((one > 0) | (other > 0))


@pytest.mark.parametrize("options", [{}, {"method": "otsu"}, {"smoothing": 0.2}])
def test_flat_backgrounds_are_done_once(options):
    signal = pml.data.gold_on_carbon()
    whole, quick = made(signal, **options)
    labels = quick(signal.data)
    assert quick.said == [] and np.array_equal(whole(signal.data), labels) and labels.max() > 4


def test_on_a_support_the_count_is_of_a_coarse_view(monkeypatch):
    monkeypatch.setattr(quick_module, "COARSE", 192)  # pixels twice as large
    monkeypatch.setattr(supports, "EDGE", 384)
    signal = pml.data.particles_on_support(contrast=8)
    whole, quick = made(signal)
    labels, found = whole(signal.data), quick(signal.data)
    assert quick.said == [ON_SUPPORT] and 0.7 * labels.max() <= found.max() <= 1.3 * labels.max()
    assert share(labels, found) > 0.6
    asked = made(signal, "network", min_diameter=2.8)[1](signal.data)
    sizes = np.bincount(asked.ravel())[1:]
    assert 0 < asked.max() < found.max() and share(asked, found) > 0.6  # what is small was left out
    assert sizes[sizes > 0].min() * 0.15**2 >= 0.95 * np.pi / 4 * 2.8**2


def test_one_view_of_a_network():
    signal = pml.data.gold_hrtem()
    whole, quick = made(signal)
    labels, found = whole(signal.data), quick(signal.data)
    assert quick.said == [ONE_VIEW] and abs(int(labels.max()) - int(found.max())) <= 1 and share(labels, found) > 0.8
