"""Facets, layers and coordination of known outlines."""

import numpy as np
import pytest

from particlespy_ml.columns.movie.facets import FACETS, surroundings

A = 0.408
LONG, WIDE = np.array([A / 2, A / np.sqrt(8)]), np.array([A / 2, -A / np.sqrt(8)])  # along [001] and [1-10]


def outline(zone="<110>"):
    """A truncated octahedron along <110>: two {100} and four {111} facets; rectangles of the others."""
    i, j = (n.ravel() for n in np.mgrid[-9:10, -9:10])
    if zone == "<110>":
        places = i[:, None] * LONG + j[:, None] * WIDE
        across = np.abs(places @ [1, np.sqrt(2)]) / np.sqrt(3), np.abs(places @ [1, -np.sqrt(2)]) / np.sqrt(3)
        inside = (np.abs(places[:, 0]) < 0.9) & (across[0] < 0.95) & (across[1] < 0.95)
        return places[inside]
    if zone == "<001>":
        return A / 2 * np.column_stack([i, j])[(np.abs(i) < 4) & (np.abs(j) < 4)]
    return A / np.sqrt(6) * (i[:, None] * [1.0, 0] + j[:, None] * [0.5, 0.75**0.5])[(np.abs(i) < 4) & (np.abs(j) < 4)]


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_facets_of_an_octahedron(turn):
    places = outline()
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = surroundings(3.0 * places @ matrix.T + 5)
    assert found.zone_axis == "<110>"
    names = np.array(FACETS)[found.facet]
    top = np.isclose(np.abs(places[:, 0]), np.abs(places[:, 0]).max())
    assert set(names[top]) == {"{100}", "corner"} and (names[top] == "{100}").sum() >= 4
    assert (names == "{111}").sum() >= 8 and "{110}" not in names
    assert (found.coordination[names == "{111}"] == 4).all() and (found.coordination[names == "bulk"] == 6).all()
    assert ((found.layer == 1) == (names != "bulk")).all()
    middle = np.argmin(np.hypot(*places.T))
    assert found.layer[middle] == found.layer.max() >= 3


@pytest.mark.parametrize(("zone", "facet"), [("<001>", "{100}"), ("<111>", "{110}")])
def test_other_zone_axes(zone, facet):
    found = surroundings(outline(zone))
    assert found.zone_axis == zone
    assert set(np.array(FACETS)[found.facet]) == {"bulk", "corner", facet}


def test_mirrored_and_partly_empty():
    places = outline()
    one, other = surroundings(places), surroundings(places * [1, -1])
    np.testing.assert_array_equal(one.facet, other.facet)
    top = np.flatnonzero(np.isclose(places[:, 0], places[:, 0].max()))
    full = np.ones(len(places), bool)
    full[top] = False
    found = surroundings(places, full)
    below = np.isclose(places[:, 0], places[:, 0].max() - A / 2)
    assert (found.layer[top] == 0).all() and (found.layer[below] == 1).all()
    assert FACETS.index("{100}") in found.facet[below]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_columns_have_no_facets(count):
    found = surroundings(np.arange(2 * count, dtype=float).reshape(-1, 2))
    assert len(found.facet) == count and (found.facet == 0).all() and found.zone_axis == ""
