import numpy as np
import pytest

from particlespy_ml.strain import layers_from_surface, measure_strain
from particlespy_ml.strain.facets import facet_directions, facet_of_columns


def truncated(turn=0.0):
    """Columns of fcc along <110> between two {100} and four {111} facets, the first along x, then turned."""
    i, j = (one.ravel() for one in np.mgrid[-12:13, -12:13])
    even = (i + j) % 2 == 0
    places = np.column_stack([i * 0.5, j * 0.5**0.5 / 2])[even]
    slope = np.array([1, 2**0.5]) / 3**0.5
    inside = (np.abs(places[:, 0]) < 2.6) & (np.abs(places) @ slope < 3.0)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return places[inside], places[inside] @ np.array([[c, s], [-s, c]])


@pytest.mark.parametrize("turn", [0.0, 33.0, 151.0])
def test_facets_of_a_truncated_particle(turn):
    plain, places = truncated(turn)
    strain = measure_strain(places, ("fcc", "<110>"), errors=0.01)
    facets = facet_of_columns(strain, "fcc", "<110>")
    top = np.abs(plain[:, 0]) > 2.4
    assert set(facets[top]) == {"{100}", "corner"}
    assert (facets[top & (np.abs(plain[:, 1]) < 0.9)] == "{100}").all()
    ends = np.abs(plain[:, 1]) > np.abs(plain[:, 1]).max() - 1e-6
    assert (facets[ends] == "corner").all()
    sloped = np.isfinite(strain["normal_x"].to_numpy()) & ~top & ~ends
    assert (facets[sloped] == "{111}").mean() > 0.7
    middle = np.linalg.norm(places, axis=1) < 1
    assert (facets[middle] == "inside").all()


def test_layers_count_from_the_surface_and_not_from_a_vacancy():
    _, places = truncated()
    middle = np.linalg.norm(places, axis=1).argmin()
    left = np.delete(places, middle, axis=0)
    strain = measure_strain(left, ("fcc", "<110>"), errors=0.01)
    layers = layers_from_surface(left, np.isfinite(strain["normal_x"].to_numpy()))
    assert layers.min() == 1 and layers.max() >= 4
    beside = np.linalg.norm(left - places[middle], axis=1) < 0.7
    assert (layers[beside] >= 3).all()


def test_nothing_and_little_have_regions():
    for count in (0, 1, 2):
        places = np.arange(2.0 * count).reshape(count, 2)
        strain = measure_strain(places, ("fcc", "<110>"))
        assert facet_of_columns(strain, "fcc", "<110>").tolist() == ["inside"] * count


def test_facets_hold_the_beam():
    found = facet_directions("fcc", "<001>")
    assert {name: len(angles) for name, angles in found.items()} == {"{100}": 4, "{110}": 4}
    apart = np.diff(np.sort(facet_directions("fcc", "<111>")["{110}"]))
    np.testing.assert_allclose(apart, 60)
