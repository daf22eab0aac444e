"""Normals at the rim."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.strain.structures import lattice
from particlespy_ml.strain.surface import outward_normals


def test_normals_point_outwards_and_vacancies_have_none():
    places = lattice("hexagonal", 8.3)
    places = places[np.linalg.norm(places - [1, 0], axis=1) > 0.1]
    normals = outward_normals(places, 1 / 3**0.5)
    radius = np.linalg.norm(places, axis=1)
    rim = np.isfinite(normals[:, 0])
    assert not rim[radius < 6.5].any() and rim[radius > 7.7].all()
    np.testing.assert_allclose(np.linalg.norm(normals[rim], axis=1), 1)
    assert ((normals * places).sum(1) / radius)[rim].min() > 0.7


@pytest.mark.parametrize("noise", [0, 0.02])
def test_a_flat_face(noise):
    x, y = (one.ravel().astype(float) for one in np.mgrid[:12, :6])
    places = np.column_stack([x, y]) + np.random.default_rng(0).normal(0, noise, (72, 2))
    normals = outward_normals(places, 0.71)
    top = (y == 0) & (x > 0) & (x < 11)
    np.testing.assert_allclose(normals[top], np.tile([0, -1], (top.sum(), 1)), atol=6 * noise + 1e-12)


def test_two_particles_each_have_a_rim():
    places = np.vstack([lattice("square", 3.1), lattice("square", 3.1) + [9, 0]])
    rim = np.isfinite(outward_normals(places, 0.71)[:, 0])
    for centre in ([0, 0], [9, 0]):
        radius = np.linalg.norm(places - centre, axis=1)
        assert rim[(radius > 2.9) & (radius < 3.2)].all() and not rim[radius < 1.5].any()


def test_points_on_a_line_have_no_normals():
    line = np.column_stack([np.arange(5.0), np.zeros(5)])
    for places in (line, line[:1], line[:0]):
        assert np.isnan(outward_normals(places, 0.7)).all()
