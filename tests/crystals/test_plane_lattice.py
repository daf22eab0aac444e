"""Plane lattices of crystals against what is known of them, and lattices of columns."""

import numpy as np
import pytest

from particlespy_ml.crystals.crystal import STRUCTURES, cubic_element
from particlespy_ml.crystals.plane_lattice import fit_lattice, other_lattice, reduce_basis
from particlespy_ml.crystals.projection import ZONE_AXES, projection


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("zone", ZONE_AXES)
def test_area_times_period_is_the_volume_of_an_atom(structure, zone):
    seen = projection(structure, zone)
    assert seen.area * seen.period == pytest.approx({"fcc": 1 / 4, "bcc": 1 / 2}[structure])


@pytest.mark.parametrize(
    ("structure", "zone", "nearest", "period", "reflection"),
    [
        ("fcc", "<001>", 0.5, 1.0, 2.0),
        ("fcc", "<011>", np.sqrt(3 / 8), np.sqrt(1 / 2), np.sqrt(3)),
        ("fcc", "<111>", np.sqrt(1 / 6), np.sqrt(3), np.sqrt(8)),
        ("bcc", "<001>", np.sqrt(1 / 2), 1.0, np.sqrt(2)),
        ("bcc", "<111>", np.sqrt(2 / 3), np.sqrt(3) / 2, np.sqrt(2)),
    ],
)
def test_known_projections(structure, zone, nearest, period, reflection):
    seen = projection(structure, zone)
    assert seen.nearest == pytest.approx(nearest)
    assert seen.period == pytest.approx(period)
    assert np.linalg.norm(seen.reflections()[0][0]) == pytest.approx(reflection)


@pytest.mark.parametrize("zone", ZONE_AXES)
def test_heights_are_those_of_the_crystal(zone):
    """The atoms that basis and heights say lie on the lattice of ASE's crystal, turned to the zone axis."""
    from scipy.spatial import cKDTree

    seen = projection("fcc", zone)
    numbers = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)])
    places = np.column_stack([numbers @ seen.basis, (numbers @ seen.heights) * seen.period])
    near = cKDTree(places)
    # in fcc every atom has its 12 neighbours at 1 / sqrt 2, if atoms of a column are repeated along it
    whole = np.vstack([places + [0, 0, k * seen.period] for k in range(-4, 5)])
    middle = cKDTree(whole).query_ball_point([0, 0, 0], 0.75)
    assert len(middle) == 13
    assert near.n == 25


@pytest.mark.parametrize("strain", [0.0, 0.02])
def test_lattice_of_a_disk(strain):
    basis = np.array([[9.0, 1.0], [2.0, 8.0]])
    numbers = np.array([(i, j) for i in range(-6, 7) for j in range(-6, 7) if i * i + j * j < 36])
    places = numbers @ basis
    places = places * (1 + strain * np.linalg.norm(places, axis=1, keepdims=True) / 60)
    places += np.random.default_rng(0).normal(scale=0.2, size=places.shape)
    lattice = fit_lattice(places)
    assert lattice.fraction == 1.0
    assert abs(np.linalg.det(lattice.basis)) == pytest.approx(abs(np.linalg.det(basis)), rel=0.05)
    assert other_lattice(places, lattice) is None


def test_missing_and_extra_columns():
    places = np.array([(9.0 * i, 9.0 * j) for i in range(8) for j in range(8)])
    kept = np.delete(places, [3, 18, 40], axis=0)
    lattice = fit_lattice(np.vstack([kept, [[13.0, 13.5]]]))
    assert lattice.on_lattice[:-1].all() and not lattice.on_lattice[-1]


def test_two_lattices():
    one = np.array([(9.0 * i, 9.0 * j) for i in range(8) for j in range(8)])
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    two = (one - one.mean(0)) @ turn.T + [31.5, 31.5 + 90]
    places = np.vstack([one, two])
    lattice = fit_lattice(places)
    assert other_lattice(places, lattice) is not None


def test_random_places_form_no_lattice():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 100, (400, 2))
    kept = [places[0]]
    for place in places[1:]:
        if np.min(np.linalg.norm(np.array(kept) - place, axis=1)) > 6:
            kept.append(place)
    lattice = fit_lattice(kept)
    assert lattice is None or lattice.fraction < 0.6 or lattice.spread > 0.13


@pytest.mark.parametrize("places", [[], [[0, 0], [1, 0], [0, 1]], [[0, 0]] * 5, [[i, 0] for i in range(9)]])
def test_too_few_or_degenerate(places):
    assert fit_lattice(np.array(places, float).reshape(-1, 2)) is None


def test_reduced_basis():
    reduced = reduce_basis(np.array([[1.0, 0.0], [7.0, 1.0]]))
    np.testing.assert_allclose(np.abs(reduced), np.eye(2))
    assert reduced[0] @ reduced[1] >= 0


def test_crystals():
    assert cubic_element("Pt") == ("fcc", pytest.approx(3.92))
    assert cubic_element("Fe")[0] == "bcc"
    with pytest.raises(ValueError, match="no chemical element"):
        cubic_element("Xx")
    with pytest.raises(ValueError, match="neither fcc nor bcc"):
        cubic_element("Si")
    with pytest.raises(ValueError, match="<001>"):
        projection("fcc", "[11]")
    with pytest.raises(ValueError, match="fcc, bcc"):
        projection("hcp", "<001>")
