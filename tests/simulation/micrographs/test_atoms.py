"""Projected atoms against counts, closed forms and ASE."""

import numpy as np
import pytest
from ase.build import bulk

from particlespy_ml.simulation.micrographs.atoms import draw_orientation, projected_atoms
from particlespy_ml.simulation.micrographs.bodies import ellipsoid_thickness

AXIS = np.arange(81.0)
X, Y = np.meshgrid(AXIS - 40, AXIS - 40)


def sphere(radius):
    return ellipsoid_thickness(X, Y, np.full(3, float(radius)), np.eye(3))


@pytest.mark.parametrize("blur", [0.5, 2.0])
def test_the_sum_is_that_of_the_thickness(blur):
    body = sphere(25)
    seen = projected_atoms(body, (40, 40), 9.0, draw_orientation(np.random.default_rng(0)), blur)
    assert seen.sum() == pytest.approx(body.sum()) and seen.min() >= 0
    assert seen[body == 0].sum() < 0.05 * seen.sum()


def test_blurred_widely_it_is_the_thickness():
    from scipy import ndimage as ndi

    body = sphere(30)
    seen = ndi.gaussian_filter(projected_atoms(body, (40, 40), 5.0, draw_orientation(np.random.default_rng(3)), 1.0), 5)
    wanted = ndi.gaussian_filter(body, 5)
    assert np.abs(seen - wanted).max() < 0.08 * wanted.max()


def test_atoms_are_those_of_a_crystal_cut_by_the_body():
    constant, radius = 10.0, 24.0
    seen = projected_atoms(sphere(radius), (40, 40), constant, np.eye(3), 0.3)
    crystal = bulk("Au", "fcc", a=constant, cubic=True).repeat(9)
    away = crystal.positions - constant * 4
    # no atom lies close to the sphere's surface
    inside = away[np.linalg.norm(away, axis=1) < radius - 0.45]
    assert len(inside) == (np.linalg.norm(away, axis=1) < radius + 0.45).sum()
    counts = np.zeros(seen.shape)
    np.add.at(counts, (40 + np.rint(inside[:, 1]).astype(int), 40 + np.rint(inside[:, 0]).astype(int)), 1)
    where = counts > 0
    assert seen[where] / seen[where].sum() == pytest.approx(counts[where] / counts.sum(), abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_orientations_are_rotations(seed):
    frame = draw_orientation(np.random.default_rng(seed))
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-9)
