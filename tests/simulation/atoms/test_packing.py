"""Random packings keep their distances, fill their box and are amorphous."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.packing import FILMS, amorphous_film, pack_box, pack_ellipsoid


def smallest_distance(points, box):
    return cKDTree(points, boxsize=[box[0], box[1], 0]).query(points, 2)[0][:, 1].min()


@pytest.mark.parametrize("filling", [0.1, 0.45, 0.59])
def test_points_keep_their_distance_across_the_edges_too(filling):
    box, distance = (14.0, 12.0, 9.0), 2.0
    n = round(filling * np.prod(box) / (np.pi / 6 * distance**3))
    points = pack_box(n, box, distance, np.random.default_rng(0))
    assert points.shape == (n, 3)
    assert (points >= 0).all() and (points <= box).all()
    assert smallest_distance(points, box) > 0.97 * distance


def test_too_many_points_are_an_error():
    with pytest.raises(ValueError, match="fill 80% of the box; expected 61 % at most"):
        pack_box(191, (10, 10, 10), 2.0, np.random.default_rng(0))


def test_same_seed_same_packing():
    first, second = (pack_box(50, (9, 9, 9), 2.0, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_ellipsoid_has_the_density_and_the_shape_asked_for():
    points = pack_ellipsoid((14, 12, 10), 0.055, 2.5, np.random.default_rng(1))
    assert len(points) == pytest.approx(0.055 * 4 / 3 * np.pi * 14 * 12 * 10, rel=0.08)
    assert (((points / [14, 12, 10]) ** 2).sum(1) <= 1).all()


@pytest.mark.parametrize("symbol", sorted(FILMS))
def test_film_has_no_long_range_order(symbol):
    edge, thickness = 40.0, 12.0
    film = amorphous_film(symbol, edge, thickness, np.random.default_rng(2))
    assert len(film) == pytest.approx(FILMS[symbol][0] * edge**2 * thickness, rel=0.01)
    # structure factor along x of the periodic film: of the order of one everywhere, of the number of atoms in a crystal
    waves = np.arange(1, 60)
    factor = np.abs(np.exp(2j * np.pi * np.outer(film[:, 0], waves) / edge).sum(0)) ** 2 / len(film)
    assert factor.max() < 15


def test_unknown_film():
    with pytest.raises(ValueError, match=r"Unknown film 'Au'; expected one of \['C', 'Si'\]"):
        amorphous_film("Au", 10, 10, np.random.default_rng(0))
