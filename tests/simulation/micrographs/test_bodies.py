"""Thickness of bodies against closed forms."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull, HalfspaceIntersection

from particlespy_ml.simulation.micrographs.bodies import (
    draw_body,
    draw_faces,
    ellipsoid_thickness,
    polyhedron_thickness,
    rod_thickness,
)

AXIS = np.linspace(-30, 30, 301)
X, Y = np.meshgrid(AXIS, AXIS)
PIXEL = (AXIS[1] - AXIS[0]) ** 2


def turned(seed):
    frame, upper = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return frame * np.sign(np.diag(upper))


@pytest.mark.parametrize("seed", range(3))
def test_volume_of_an_ellipsoid(seed):
    half = np.array([9.0, 14.0, 21.0])
    thickness = ellipsoid_thickness(X, Y, half, turned(seed))
    assert thickness.sum() * PIXEL == pytest.approx(4 / 3 * np.pi * half.prod(), rel=2e-3)


def test_volume_of_a_rod():
    thickness = rod_thickness(X, Y, radius=6.0, length=40.0, angle=0.7)
    assert thickness.sum() * PIXEL == pytest.approx(np.pi * 36 * 28 + 4 / 3 * np.pi * 216, rel=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_volume_of_a_crystal(seed):
    normals, distances = draw_faces(np.random.default_rng(seed))
    normals, distances = normals @ turned(seed).T, 12 * distances
    corners = HalfspaceIntersection(np.column_stack([normals, -distances]), np.zeros(3)).intersections
    thickness = polyhedron_thickness(X, Y, normals, distances)
    assert thickness.sum() * PIXEL == pytest.approx(ConvexHull(corners).volume, rel=5e-3)


@pytest.mark.parametrize("kind", ["sphere", "ellipsoid", "crystal", "rod", "plate"])
def test_a_drawn_body_is_whole_and_about_its_middle(kind):
    for seed in range(10):
        body, middle = draw_body(kind, 20.0, np.random.default_rng(seed))
        outline = body > 0
        assert outline.any() and outline.sum() == outline[1:-1, 1:-1].sum()
        assert np.abs(np.argwhere(outline).mean(0) - middle).max() < 5


def test_area_of_a_sphere_is_that_of_its_circle():
    areas = [(draw_body("sphere", 24.0, np.random.default_rng(seed))[0] > 0).sum() for seed in range(20)]
    assert np.mean(areas) == pytest.approx(np.pi * 12**2, rel=0.01)
