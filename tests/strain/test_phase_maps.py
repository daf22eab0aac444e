"""What of a frame is analysed: not its padding, and one grain alone."""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.strain.phase_maps import MAPS, PhaseSettings, find_lattice, phase_maps, scanned
from tests.strain.images import HEXAGONAL, SQUARE, lattice_image, turn

SPACING = 9.0
HOW = PhaseSettings((1.0, 1.0), 1.0, 0.25, None)


@pytest.mark.parametrize("value", [0.0, 3.1, -50.0])
@pytest.mark.parametrize("pad", [((20, 9), (0, 31)), ((1, 0), (0, 0))])
def test_padding_is_no_part_of_a_frame(value, pad):
    rng = np.random.default_rng(0)
    image = (
        5 + lattice_image((100, 110), SQUARE, SPACING, np.diag([1.01, 1.0]) @ turn(3)) + rng.normal(0, 0.1, (100, 110))
    )
    padded = np.pad(image, pad, constant_values=value)
    inside = tuple(slice(before, before + n) for (before, _), n in zip(pad, image.shape, strict=True))
    assert scanned(padded) == inside
    lattice, of_padded = find_lattice(image, HOW), find_lattice(padded, HOW)
    np.testing.assert_allclose(of_padded.centres, lattice.centres, rtol=1e-12)
    alone, maps = phase_maps(image, HOW, lattice), phase_maps(padded, HOW, lattice)
    outside = np.ones(padded.shape, bool)
    outside[inside] = False
    assert np.isnan(maps[:, outside]).all()
    same = [number for number, name in enumerate(MAPS) if not name.startswith("phase")]
    np.testing.assert_array_equal(maps[same][(slice(None), *inside)], alone[same])


def test_phases_of_padded_frames_count_from_their_middle():
    whole = lattice_image((101, 121), SQUARE, SPACING)
    padded = whole.copy()
    padded[:14], padded[:, -20:] = -9, -9
    lattice = find_lattice(whole, HOW)
    away = phase_maps(padded, HOW, lattice)[4:6] - phase_maps(whole, HOW, lattice)[4:6]
    assert np.isfinite(away).any()
    assert np.nanmax(np.abs(np.angle(np.exp(1j * away)))) < 0.02


def test_vacuum_of_one_value_is_no_padding():
    image = lattice_image((90, 90), SQUARE, SPACING) + 3
    y, x = np.mgrid[:90, :90] - 44.5
    fading = np.clip(30 - np.hypot(x, y), 0, 4) / 4 * image
    assert scanned(np.rint(20 * fading)) == (slice(0, 90), slice(0, 90))
    assert scanned(np.zeros((5, 6))) == (slice(0, 5), slice(0, 6))


def two_grains(degrees, cell=SQUARE, share=0.5, noise=0.05):
    """A grain to the left and another that is turned to the right."""
    shape = (120, 160)
    left, right = (lattice_image(shape, cell, SPACING, turn(t)) for t in (0, degrees))
    first = np.arange(shape[1]) < share * shape[1]
    image = np.where(first, left, right)
    return image + np.random.default_rng(1).normal(0, noise, shape), np.broadcast_to(first, shape)


@pytest.mark.parametrize(
    ("degrees", "cell"), [(13, SQUARE), (45, SQUARE), (13, HEXAGONAL), (-11, HEXAGONAL), (30, HEXAGONAL)]
)
def test_another_grain_is_masked_and_not_strained(degrees, cell):
    image, first = two_grains(degrees, cell, 0.55)
    lattice = find_lattice(image, HOW, region=first)
    maps = phase_maps(image, HOW, lattice)
    # a width of it on the other side may be left, as at a surface
    assert np.isnan(maps[0][~first]).mean() > 0.85
    inside = first.copy()
    inside[:, int(0.55 * 160 - 2 * SPACING) :] = False
    assert np.isfinite(maps[0][inside]).sum() > 3000
    assert np.nanmax(np.abs(maps[:3, inside])) < 0.02 and np.nanmax(np.abs(maps[3][inside])) < 1.5


@pytest.mark.parametrize("side", [True, False])
def test_reflections_are_of_the_grain_of_the_reference(side):
    image, first = two_grains(20, SQUARE)
    region = first == side
    found = find_lattice(image, HOW, region=region)
    wanted = np.linalg.inv(turn(0 if side else 20) * SPACING)
    # up to the quarter turns of the lattice
    away = found.reference @ np.linalg.inv(wanted)
    np.testing.assert_allclose(np.abs(away).round(1).sum(1), 1)
    np.testing.assert_allclose(away @ away.T, np.eye(2), atol=0.02)
    alone = find_lattice(image, HOW)
    square = alone.reference @ alone.reference.T * SPACING**2
    np.testing.assert_allclose(square, np.eye(2), atol=0.02)  # both of one grain, whichever
