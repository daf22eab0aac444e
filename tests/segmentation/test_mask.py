"""mask=: where to look. What lies outside is neither particle nor background."""

from __future__ import annotations

import numpy as np
import pytest
from hyperspy.signals import Signal2D

import particlespy_ml as pml


@pytest.fixture
def left(two_disks):
    """True in the left part of the image, in which one particle lies."""
    mask = np.zeros(two_disks.data.shape, bool)
    mask[:, :75] = True
    return mask


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("method", ["auto", "otsu"])
def test_particles_are_found_inside_alone(two_disks, left, lazy, method):
    image = two_disks.as_lazy() if lazy else two_disks
    labels = image.segment_particles(method, mask=left, lazy_output=False)
    assert labels.data.max() == 1 and not labels.data[~left].any()
    assert labels.metadata.particlespy_ml.segmentation.mask == "given"
    table = image.measure_particles(method=method, mask=Signal2D(left.astype(np.uint8)), lazy_output=False)
    whole = image.measure_particles(method=method, lazy_output=False)
    assert table.n_particles == 1
    nearest = np.argmin(np.hypot(whole["x"] - table["x"][0], whole["y"] - table["y"][0]))
    for name in ("area", "intensity", "background"):
        assert table[name][0] == pytest.approx(whole[name][nearest], rel=0.05)


def test_what_is_masked_may_be_anything(two_disks, left):
    wanted = two_disks.measure_particles(mask=left)
    for value in (np.nan, np.inf, 1e9, -5):
        image = two_disks.deepcopy()
        image.data[~left] = value
        found = image.measure_particles(mask=left)
        for name in ("area", "intensity", "background", "x"):
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6)


def test_masks_of_series(series, left):
    whole = series.measure_particles(mask=left)
    assert [len(rows) for rows in whole.data] == [1, 0, 1]
    each = np.stack([left, left, ~left])
    each[2, :, 60:] = True
    assert [len(rows) for rows in series.as_lazy().measure_particles(mask=each, lazy_output=False).data] == [1, 0, 1]


def test_particles_that_a_mask_cuts_are_cut(two_disks, left):
    left[:, 45:] = False
    table = two_disks.measure_particles(mask=left)
    assert table.n_particles == 0 or table["touches_border"].all()
    assert two_disks.measure_particles(mask=left, exclude_border=True).n_particles == 0


def test_labels_with_a_mask(two_disks, left):
    labels = two_disks.segment_particles()
    assert two_disks.measure_particles(labels=labels, mask=left).n_particles == 1


def test_classified_and_axes_that_descend(two_disks, left, model_folder):
    turned = two_disks.isig[::-1, :]
    table, labels = turned.classify_particles(model_folder, mask=left[:, ::-1], return_labels=True)
    assert table.n_particles == 1 and not labels.data[:, :85].any()


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.zeros((128, 160), bool), ValueError, "leaves no pixel"),
        (np.ones((5, 5), bool), ValueError, r"Expected a mask of the shape \(128, 160\)"),
        (np.ones((128, 160)), TypeError, "mask of booleans"),
        ("left", TypeError, "mask"),
    ],
)
def test_bad_masks(two_disks, mask, error, message):
    with pytest.raises(error, match=message):
        two_disks.measure_particles(mask=mask)


def test_a_scale_bar_is_left_out_by_itself():
    image = pml.data.gold_on_carbon()
    wanted = image.measure_particles()
    bar = image.deepcopy()
    corner = bar.data[-14:-8, 20:90]
    corner[...] = 1.2 * bar.data.max()
    found, labels = bar.measure_particles(return_labels=True)
    assert found.n_particles == wanted.n_particles and not labels.data[-14:-8, 20:90].any()
    np.testing.assert_allclose(np.sort(found["area"]), np.sort(wanted["area"]), rtol=0.02)
