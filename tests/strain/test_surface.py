"""Normals at the rim."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.strain.structures import lattice
from particlespy_ml.strain.surface import inner_mesh, normal_strain, outward_normals


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


def test_the_inner_mesh_fills_a_particle_with_its_vacancy_and_no_notch():
    x, y = (one.ravel().astype(float) for one in np.mgrid[:8, :6])
    places = np.column_stack([x, y])
    vacancy, notch = (x == 2) & (y == 3), (y > 3) & (x > 3) & (x < 6)
    places = places[~vacancy & ~notch]
    mesh = inner_mesh(places, 0.71)
    one, other = places[mesh[:, 1]] - places[mesh[:, 0]], places[mesh[:, 2]] - places[mesh[:, 0]]
    area = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / 2
    assert 29 <= area <= 30  # less three by two cells of the notch, whose two inner corners no disk reaches
    for few in (places[:2], places[:0], np.column_stack([np.arange(5.0), np.zeros(5)])):
        assert inner_mesh(few, 0.71).shape == (0, 3)


def test_strain_along_the_normal_is_that_of_the_rotated_tensor():
    rng = np.random.default_rng(0)
    angle, entries = rng.uniform(0, 2 * np.pi, 9), rng.normal(0, 0.01, (3, 9))
    rows = np.zeros(9, [(name, float) for name in ("exx", "eyy", "exy", "normal_x", "normal_y")])
    rows["exx"], rows["eyy"], rows["exy"] = entries
    rows["normal_x"], rows["normal_y"] = np.cos(angle), np.sin(angle)
    for k, value in enumerate(normal_strain(rows)):
        c, s = np.cos(angle[k]), np.sin(angle[k])
        turn = np.array([[c, s], [-s, c]])
        tensor = np.array([[entries[0, k], entries[2, k]], [entries[2, k], entries[1, k]]])
        assert value == pytest.approx((turn @ tensor @ turn.T)[0, 0], abs=1e-15)
