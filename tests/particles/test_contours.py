"""Contours of many masks at once are those that scikit-image finds for one after the other."""

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import find_contours

from particlespy_ml.particles.contours import contours_of
from particlespy_ml.particles.sheet import AT_ONCE, in_parts

RNG = np.random.default_rng(0)
MASKS = [RNG.random(RNG.integers(2, 25, 2)) < share for share in np.linspace(0.1, 0.9, 60)]
MASKS += [ndi.gaussian_filter(RNG.random((40, 50)), 2) > 0.5 for _ in range(5)]
MASKS = [mask for mask in MASKS if mask.any()]


def contours_of_one(mask):
    mask = ndi.binary_fill_holes(np.pad(mask, 1))
    return [contour[:-1] - 1 for contour in find_contours(mask.astype(float), 0.5, fully_connected="high")]


def test_contours_are_those_of_scikit_image():
    for found, mask in zip(contours_of(MASKS), MASKS, strict=True):
        wanted = contours_of_one(mask)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_parts_hold_all_masks_once():
    masks = [np.ones((3, 3), bool)] * (2 * AT_ONCE + 1) + [np.ones((3000, 3000), bool)] * 2
    parts = [range(*part.indices(len(masks))) for part in in_parts(masks)]
    assert [number for part in parts for number in part] == list(range(len(masks)))
    assert max(map(len, parts)) <= AT_ONCE and [len(part) for part in parts[-2:]] == [1, 1]
    assert list(in_parts([])) == []
