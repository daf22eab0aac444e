"""Alignment of images with known shifts, rotations and mirrors."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.stacks.alignment import (
    ANGLES,
    align_to,
    best_rotation,
    centroid,
    find_reference,
    mean_aligned,
    polar,
    refine_shift,
    smoothed,
    transform,
)

EDGE = 48


def shape(edge=EDGE, shift=(0.0, 0.0), angle=0.0, mirror=False, step=(1.0, 1.0)):
    """An L-like particle without any symmetry, drawn at a position and an angle from columns towards rows."""
    rows, columns = np.indices((edge, edge)) - edge // 2
    r, c = (rows - shift[0]) * step[0], (columns - shift[1]) * step[1]
    t = np.deg2rad(angle)
    u, v = c * np.cos(t) + r * np.sin(t), -c * np.sin(t) + r * np.cos(t)
    if mirror:
        u = -u
    blobs = [(-6, 0, 4.0, 1.0), (5, 1, 3.5, 0.8), (7, 9, 2.5, 0.7), (0, -2, 4, 0.6)]
    image = sum(h * np.exp(-((u - a) ** 2 + (v - b) ** 2) / 2 / s**2) for a, b, s, h in blobs)
    return image.astype(np.float32) + 2


def difference(a, b):
    return (np.asarray(a) - b + 180) % 360 - 180


@pytest.mark.parametrize("step", [(1.0, 1.0), (1.0, 1.3)])
def test_transform_undoes_what_was_drawn(step):
    expected = shape(step=step)
    for angle, mirror, shift in ((30, False, (1.3, -2.2)), (200, True, (0, 1.5))):
        drawn = shape(shift=shift, angle=angle, mirror=mirror, step=step)
        # drawn is mirrored, then turned; undone it is turned back, then mirrored, which is mirrored, then turned on
        undo = angle if mirror else -angle
        found = transform(drawn, np.array(shift), undo, mirror, step)
        assert np.abs(found - expected)[8:-8, 8:-8].max() < 0.02


def test_polar_correlation_finds_the_angle_between_samples():
    reference = np.fft.rfft(polar(shape(), np.zeros(2)))
    for angle in (0.0, 17.3, 123.4, 359.0):
        found, score = best_rotation(np.fft.rfft(polar(shape(angle=angle), np.zeros(2))), reference)
        assert abs(difference(found, -angle)) < 0.1, f"error {difference(found, -angle):.3f} degrees"
        assert score > 0.99
    assert ANGLES % 2 == 0


def test_centroid_and_shift_in_parts_of_a_pixel():
    disk = shape()
    moved = ndi.shift(disk, (1.25, -2.5), order=3, mode="nearest")
    shift, found = refine_shift(moved, disk)
    np.testing.assert_allclose(shift, (1.25, -2.5), atol=0.06)
    assert found

    np.testing.assert_allclose(centroid(moved) - centroid(disk), (1.25, -2.5), atol=0.1)
    np.testing.assert_allclose(centroid(4 - moved), centroid(moved), atol=1e-4)
    np.testing.assert_array_equal(centroid(np.ones((8, 8))), 0)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_flat_image_is_centred_as_it_is(value):
    flat = np.full((40, 40), value, np.float32)
    assert refine_shift(flat, shape()) == (pytest.approx([0, 0]), True)


def test_a_peak_on_the_rim_of_the_search_is_none():
    far = ndi.shift(shape(), (0, 12), order=1, mode="nearest")
    shift, found = refine_shift(far, shape())
    assert not found and shift[1] == EDGE // 8


def cramer_rao(noise):
    """Least error of an angle in degrees, where the position is not known either."""
    turn = shape(angle=0.5) - shape(angle=-0.5)
    moves = [shape(shift=half) - shape(shift=[-h for h in half]) for half in ([0.5, 0], [0, 0.5])]
    gradients = np.array([turn.ravel(), *(move.ravel() for move in moves)])
    return np.sqrt(np.linalg.inv(gradients @ gradients.T / noise**2)[0, 0])


@pytest.mark.parametrize("noise", [0.02, 0.2, 0.5])
@pytest.mark.parametrize("mirror", [False, True])
def test_images_are_aligned_without_a_reference(noise, mirror):
    rng = np.random.default_rng(1)
    count = 40
    angles, shifts = rng.uniform(0, 360, count), rng.uniform(-2, 2, (count, 2))
    flips = rng.random(count) < 0.5 if mirror else np.zeros(count, bool)
    images = np.stack([shape(shift=s, angle=a, mirror=f) for s, a, f in zip(shifts, angles, flips, strict=True)])
    images = smoothed(images + noise * rng.normal(size=images.shape), 1.5)
    reference = find_reference(images, mirror, True, (1, 1), 8, 0)
    found = align_to(images, reference, mirror, True, (1, 1))
    # turning by a after mirroring undoes mirroring after turning by a; the reference has its own angle and hand
    same = found.mirrored == flips
    same = ~same if same.mean() < 0.5 else same
    turned = found.angles + np.where(found.mirrored, -1, 1) * angles
    errors = []
    for side in (False, True):
        part = turned[same & (found.mirrored == side)]
        if len(part):
            common = np.angle(np.exp(1j * np.deg2rad(part)).mean(), deg=True)
            errors.append(difference(part, common))
    error = np.sqrt(np.mean(np.concatenate(errors) ** 2))
    limit = 0.2 + 1.6 * cramer_rao(noise)
    assert same.mean() > 0.92 and error < limit, f"error {error:.2f} degrees, the bound is {cramer_rao(noise):.2f}"
    sharp = mean_aligned(images, found, (1, 1))
    assert sharp.std() > images.mean(0).std()
    assert found.scores.mean() > (0.95 if noise < 0.1 else 0.5)


def test_only_centred():
    images = np.stack([shape(shift=(a, -a)) for a in (-2.0, 0.0, 1.5)])
    found = align_to(images, shape(), False, False, (1, 1))
    np.testing.assert_allclose(found.shifts, [(-2, 2), (0, 0), (1.5, -1.5)], atol=0.1)
    np.testing.assert_array_equal(found.angles, 0)
