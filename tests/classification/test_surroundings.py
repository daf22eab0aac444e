"""Lattices about particles: seen where a support is a crystal, and only there."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.classification.surroundings import (
    BEYOND,
    LATTICE,
    cut_surroundings,
    lattice_share,
    lattice_strength,
    surrounding_lattice,
)
from particlespy_ml.core.calibration import PixelGrid

PIXEL = 0.04  # nm


def film(rng, shape=(128, 128)):
    """An amorphous film: noise of some grain, and shot noise."""
    return ndi.gaussian_filter(rng.normal(size=shape), 1.5) * 3 + rng.normal(size=shape)


def fringes(shape=(128, 128), spacing=0.28, angle=0.5):
    y, x = np.mgrid[: shape[0], : shape[1]] * PIXEL
    return np.sin(2 * np.pi * (np.cos(angle) * y + np.sin(angle) * x) / spacing)


def disk(radius, shape=(128, 128)):
    y, x = np.indices(shape)
    return np.hypot(y - shape[0] / 2, x - shape[1] / 2) < radius


def test_films_and_noise_have_none():
    rng = np.random.default_rng(0)
    known = np.ones((128, 128), bool)
    values = [lattice_strength(film(rng), known, PIXEL) for _ in range(100)]
    assert np.mean(np.array(values) > LATTICE) <= 0.1


@pytest.mark.parametrize("spacing", [0.13, 0.19, 0.28, 0.4])
@pytest.mark.parametrize("angle", [0.0, 0.5, 1.57])
def test_fringes_are_seen(spacing, angle):
    image = film(np.random.default_rng(1)) + fringes(spacing=spacing, angle=angle)
    assert lattice_strength(image, ~disk(40), PIXEL) > 3 * LATTICE


@pytest.mark.parametrize("coarse", [0.05, 0.06])
@pytest.mark.parametrize("spacing", [0.352, 0.42])
def test_a_lattice_in_a_frame_that_is_coarser_than_its_window(coarse, spacing):
    """The window is finer than the frame: its pixels say what a frequency is, those of the frame what is not shown."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:120, :120] * coarse
    frame = ndi.gaussian_filter(rng.normal(size=(120, 120)), 1.0) * 2 + np.sin(
        2 * np.pi * (rows + 0.3 * columns) / spacing
    )
    labels = np.zeros((120, 120), int)
    about, known = cut_surroundings(frame, labels, np.array([59.5, 59.5]), np.full(2, PIXEL / coarse), 64)
    assert lattice_strength(about, known, PIXEL, coarse) > 3 * LATTICE
    plain = ndi.gaussian_filter(rng.normal(size=(120, 120)), 1.0)
    about, known = cut_surroundings(plain, labels, np.array([59.5, 59.5]), np.full(2, PIXEL / coarse), 64)
    assert lattice_strength(about, known, PIXEL, coarse) < 2 * LATTICE


def test_what_does_not_matter():
    rng = np.random.default_rng(2)
    image, known = film(rng) + fringes(), ~disk(30)
    expected = lattice_strength(image, known, PIXEL)
    assert lattice_strength(7 * image + 400, known, PIXEL) == pytest.approx(expected, rel=1e-3)
    assert lattice_strength(image[::-1], known[::-1], PIXEL) == pytest.approx(expected, rel=1e-3)
    assert lattice_strength(image.T, known.T, PIXEL) == pytest.approx(expected, rel=1e-3)
    inside = np.where(known, image, 1e4 * rng.random())
    assert lattice_strength(inside, known, PIXEL) == pytest.approx(expected, rel=1e-6)


def test_nothing_is_told_where_nothing_is_seen():
    image = film(np.random.default_rng(3))
    assert np.isnan(lattice_strength(image, np.zeros(image.shape, bool), PIXEL))
    assert lattice_strength(np.ones((64, 64)), np.ones((64, 64), bool), PIXEL) == 0


def test_the_fringes_of_the_particle_itself_do_not_count():
    rng = np.random.default_rng(4)
    labels = disk(22, (200, 200)).astype(int)
    labels[:12, :40] = 2
    on_film = film(rng, (200, 200)) + 5 * fringes((200, 200)) * (labels > 0)
    about, known = cut_surroundings(on_film, labels, np.array([99.5, 99.5]), np.ones(2), 64)
    assert about.shape == known.shape == (64 + 2 * BEYOND,) * 2
    middle = len(known) // 2
    assert not known[middle - 20 : middle + 20, middle - 15 : middle + 15].any()
    assert lattice_strength(about, known, PIXEL) < LATTICE
    beside = on_film + fringes((200, 200), spacing=0.31, angle=1.0)
    about, known = cut_surroundings(beside, labels, np.array([99.5, 99.5]), np.ones(2), 64)
    assert lattice_strength(about, known, PIXEL) > 3 * LATTICE


@pytest.mark.parametrize("corner", [(0, 0), (60, 0), (100, 100)])
def test_measured_particles_at_borders_too(corner):
    labels = np.zeros((128, 128), int)
    labels[corner[0] : corner[0] + 28, corner[1] : corner[1] + 28] = 3
    image = film(np.random.default_rng(5)) + fringes()
    grid = PixelGrid((128, 128), (PIXEL, PIXEL), (0.0, 0.0), "nm")
    low = np.array(corner, float) * PIXEL - PIXEL / 2
    box = dict(zip(("bbox_y_min", "bbox_x_min"), low, strict=True))
    box |= dict(zip(("bbox_y_max", "bbox_x_max"), low + 28 * PIXEL, strict=True))
    row = np.array([tuple(box.values())], dtype=[(name, float) for name in box])[0]
    assert surrounding_lattice(image, labels, row, grid, PIXEL, 48) > LATTICE


def test_surroundings_next_to_the_limit_count_in_part():
    strengths = LATTICE * np.array([0.0, 0.5, 0.9, 1.0, 1.1, 2.0])
    shares = lattice_share(strengths)
    assert shares[[0, 1, 3, 5]] == pytest.approx([0, 0, 0.5, 1])
    assert 0.3 < shares[2] < 0.5 < shares[4] < 0.7
    assert np.isnan(lattice_share(np.array([np.nan]))[0])
