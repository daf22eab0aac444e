"""Columns of blocks of crystals on the sites that they were made from."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from particlespy_ml.crystals.crystal import crystal
from particlespy_ml.crystals.projection import projection
from particlespy_ml.crystals.site_lattice import fit_sites

CASES = [
    ("Co", "<0001>"),
    ("Co", "<11-20>"),
    ("Co", "<10-10>"),
    ("graphene", "<0001>"),
    ("Si", "<011>"),
    ("CeO2", "<011>"),
    ("TiO2-rutile", "<001>"),
    ("TiO2-anatase", "<100>"),
    ("Pt", "<111>"),
]


def disk(seen, constant, turn, visible=0.25, radius=17.0, mirror=1):
    """Positions of the columns of a disk, and their cells and sites."""
    strong = seen.strengths()
    kept = np.flatnonzero(strong >= visible * strong.max())
    numbers = np.array([(i, j) for i in range(-25, 26) for j in range(-25, 26)])
    cells, sites = np.repeat(numbers, len(kept), 0), np.tile(kept, len(numbers))
    places = constant * (cells + seen.sites[sites]) @ seen.basis
    inside = np.linalg.norm(places, axis=1) < radius
    matrix = Rotation.from_euler("z", turn, degrees=True).as_matrix()[:2, :2]
    return places[inside] * [mirror, 1] @ matrix.T, cells[inside], sites[inside]


@pytest.mark.parametrize("turn", [0, 200])
@pytest.mark.parametrize(("name", "zone"), CASES)
def test_columns_are_on_their_sites(name, zone, turn):
    one = crystal(name)
    seen = projection(one, zone)
    places, _, sites = disk(seen, one.a, turn)
    rng = np.random.default_rng(0)
    moved = places @ [[1.01, 0.005], [0.0, 0.995]] + [3.0, -8.0] + rng.normal(scale=0.08, size=places.shape)
    found = fit_sites(moved, seen, 0.97 * one.a)
    assert found.fraction == 1.0
    assert found.lattice_constant == pytest.approx(one.a, rel=0.01)
    model = found.origin + (found.cells + seen.sites[found.sites]) @ found.basis
    assert np.sqrt(np.mean(np.sum((model - moved) ** 2, 1))) < 0.2
    # sites of the same kind keep together, whatever they are called: the crystal may be like itself in many ways
    pairs = set(zip(sites, found.sites, strict=True))
    assert len(pairs) == len(set(sites))


def test_missing_and_foreign_columns():
    one = crystal("Co")
    seen = projection(one, "<0001>")
    places, _, _ = disk(seen, one.a, 31)
    kept = np.delete(places, [5, 40, 41], axis=0)
    centre = kept[0] + (places[1] - places[0]) * 0.5
    found = fit_sites(np.vstack([kept, centre]), seen, one.a)
    assert found.on_site[:-1].all() and not found.on_site[-1]


@pytest.mark.parametrize("mirror", [1, -1])
def test_a_crystal_from_behind(mirror):
    """The plane lattice of [123] has no mirror line: seen from behind its basis is clockwise."""
    one = crystal("CeO2")
    seen = projection(one, (1, 2, 3))
    places, _, _ = disk(seen, one.a, 15, mirror=mirror)
    found = fit_sites(places, seen, one.a)
    assert found.fraction == 1
    assert np.sign(np.linalg.det(found.basis)) == mirror


@pytest.mark.parametrize("positions", [[], [[0, 0]] * 3, np.random.default_rng(1).uniform(0, 40, (60, 2))])
def test_no_crystal(positions):
    assert fit_sites(positions, projection("Co", "<0001>"), 2.5) is None


def test_errors():
    with pytest.raises(ValueError, match="above zero"):
        fit_sites(np.zeros((9, 2)), projection("Co", "<0001>"), 0.0)
