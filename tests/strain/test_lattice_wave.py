"""Waves of columns up to the surface of a crystal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from benchmarks.strain.fields import STEP, columns_image
from particlespy_ml.strain.lattice_wave import lattice_wave
from particlespy_ml.strain.phase_maps import PhaseSettings, Reflections, phase_maps
from tests.strain.images import HEXAGONAL, lattice_image, turn

SPACING = 8.0


def surface(width, layers=3, degrees=0.0):
    """A crystal whose outermost layers are farther apart, its columns of that width; and where these are by layer."""
    sites = np.stack(np.meshgrid(np.arange(-12, 4), np.arange(-12, 13)), -1).reshape(-1, 2) * SPACING
    moved = sites + np.column_stack([STEP * np.maximum(sites[:, 0] - (3 - layers) * SPACING, 0), 0 * sites[:, 0]])
    places = moved @ turn(degrees).T + 64
    return columns_image((129, 129), places, width), places[np.abs(sites[:, 1]) < 1].reshape(-1, 2)[::-1]


@pytest.mark.parametrize("width", [1.6, 2.4])
@pytest.mark.parametrize("degrees", [0, 33])
def test_strain_up_to_a_surface(width, degrees):
    image, places = surface(width, degrees=degrees)
    g = np.linalg.inv(turn(degrees) * SPACING)
    maps = phase_maps(image, PhaseSettings((1.0, 1.0), 1.0, 0.0, None, width), Reflections(g, g))
    along = turn(degrees)[:, 0]
    found = [
        along @ np.array([[xx, xy], [xy, yy]]) @ along
        for xx, yy, xy in zip(*(map_coordinates(maps[k], places[:2, ::-1].T, order=1) for k in (0, 1, 2)), strict=True)
    ]
    assert abs(found[0] - STEP) < 2e-4  # the outermost of three layers
    assert abs(found[1] - STEP) < 1.5e-3  # the average holds the crystal below
    without = phase_maps(image, PhaseSettings((1.0, 1.0), 1.0, 0.0, None), Reflections(g, g))
    wrong = map_coordinates(without[0] + without[1], places[:1, ::-1].T, order=1) - STEP
    assert wrong[0] > 0.003


def test_columns_do_not_matter_inside_nor_at_the_border():
    deformation = np.array([[1.015, 0.004], [0.01, 0.985]]) @ turn(1)
    image = lattice_image((100, 110), HEXAGONAL, SPACING, deformation)
    g = np.linalg.inv(HEXAGONAL * SPACING)
    reference = Reflections(g, g)
    for column in (0.0, 1.6):  # standard deviation
        maps = phase_maps(image, PhaseSettings((1.0, 1.0), 1.0, 0.0, None, column), reference)
        inner = maps[:, 32:-32, 32:-32]
        np.testing.assert_allclose(inner[0], inner[0].mean(), atol=2e-4)
        assert np.nanmax(np.abs(maps[0] - inner[0].mean())) < 4e-3


def test_errors_near_a_surface_are_those_of_repeated_images():
    image, places = surface(1.8)
    image, places = image[20:-20, 30:], places - [30, 20]
    g = np.eye(2) / SPACING
    how = PhaseSettings((1.0, 1.0), 1.0, 0.1, 0.1, 1.8)
    rng = np.random.default_rng(0)
    rows, columns = slice(35, 54), slice(30, int(places[0, 0]) + 1)
    clean = phase_maps(image, how, Reflections(g, g))[:, rows, columns]
    noisy = [phase_maps(image + rng.normal(0, 0.1, image.shape), how, Reflections(g, g)) for _ in range(20)]
    scores = (np.stack(noisy)[:, 0, rows, columns] - clean[0]) / clean[8]
    assert np.sqrt(np.mean(scores**2)) == pytest.approx(1, abs=0.15)
    assert np.sqrt(np.mean(scores[..., -3:] ** 2)) < 1.35  # the curvature has noise of its own


def test_a_wave_of_a_window():
    x = np.arange(90.0) - 44.5
    image = np.tile(np.cos(2 * np.pi * 0.102 * x), (80, 1))
    for column in (0.0, 2.0):
        found = lattice_wave(image, (1.0, 1.0), np.array([0.1, 0.0]), 10.0, 15.0, column)
        assert found.gradient[0, 40, 45] / (2 * np.pi) == pytest.approx(0.002, abs=2e-5)
