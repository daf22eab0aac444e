"""Layers from the surface inwards, and the errors of their means."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.strain.structures import lattice
from particlespy_ml.strain import layers_from_surface, measure_strain, strain_by_layer
from particlespy_ml.strain.layers import mean_and_error
from tests.plotting.made_results import made_columns, made_strain


@pytest.mark.parametrize("turn", [0, 35])
@pytest.mark.parametrize("noise", [0, 0.02])
def test_layers_of_the_facets_of_a_crystal_along_110(turn, noise):
    """{100} facets are rows half a lattice constant apart, {111} facets rows a / sqrt(3) apart."""
    constant = (8 / 3) ** 0.5  # of neighbours at a distance of one
    places = lattice("fcc", 12, "<011>")
    depths = []
    for normal, step in (([0, 1.0], constant / 2), ([(2 / 3) ** 0.5, 3**-0.5], constant / 3**0.5)):
        height = places @ normal
        if not np.allclose(height / step, np.rint(height / step), atol=1e-6):  # the axes of the lattice the other way
            height = places[:, ::-1] @ normal
        depths.append(np.rint((6 * step - height) / step).astype(int) + 1)
    for depth in depths:
        inside = depth >= 1
        own = places[inside] + np.random.default_rng(0).normal(0, noise, (inside.sum(), 2))
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        found = layers_from_surface(own @ np.array([[c, s], [-s, c]]) + 100, depth[inside] == 1)
        near_middle = np.linalg.norm(places[inside], axis=1) < 7
        np.testing.assert_array_equal(found[near_middle], depth[inside][near_middle])


def test_what_leads_to_no_surface_is_in_no_layer():
    places = np.array([(0, 0), (1, 0), (9, 0), (10, 0), (np.nan, 0)])
    assert layers_from_surface(places, [True, False, False, False, True]).tolist() == [1, 2, 0, 0, 0]
    assert layers_from_surface(places, np.zeros(5, bool)).tolist() == [0] * 5
    assert layers_from_surface(places[:1], [True]).tolist() == [1]
    assert layers_from_surface(np.empty((0, 2)), np.empty(0, bool)).shape == (0,)


def test_errors_of_means_hold_what_neighbours_share():
    """Across a layer the error is that of the scatter; along it an upper bound. Independent ones would be .6 of it."""
    rng = np.random.default_rng(0)
    x, y = (one.ravel().astype(float) for one in np.mgrid[:24, :7])
    layer = (y == 3) & (x > 3) & (x < 20)
    means = {"exx": [], "eyy": []}
    for _ in range(40):
        frame = measure_strain(
            np.column_stack([x, y]) + rng.normal(0, 0.01, (len(x), 2)), "square", scale=1, errors=0.01
        )
        for name, found in means.items():
            columns = (frame[one].to_numpy() for one in (name, f"{name}_error", "n_neighbours"))
            found.append(mean_and_error(np.column_stack([x, y]), *columns, layer))
    across, along = (np.array(means[name]) for name in ("eyy", "exx"))
    assert 0.8 < across[:, 1].mean() / across[:, 0].std() < 1.3
    assert along[:, 1].mean() > 2 * along[:, 0].std()


def test_the_layers_of_a_table():
    table = made_strain(5, 5, stretch=0.03, turn=0)
    found = table.strain_by_layer("exx")
    assert found.columns.tolist() == ["frame", "layer", "columns", "matched", "mean", "error", "scatter"]
    assert found["columns"].tolist() == [16, 8, 1]
    np.testing.assert_allclose(found["mean"], 0.03, atol=1e-9)
    assert (found["error"] > 0).all() and np.isnan(found["scatter"].iloc[-1])
    assert np.isclose(found["error"].iloc[-1], table["exx_error"][12])  # that of its one column
    series = made_strain(4, 4, frames=2)
    assert set(strain_by_layer(series)["frame"]) == {0}
    assert strain_by_layer(made_strain(0, 0)).empty and strain_by_layer(made_strain(1, 1)).empty


def test_what_is_refused():
    with pytest.raises(ValueError, match="call measure_strain"):
        strain_by_layer(made_columns([1, 2]))
    with pytest.raises(ValueError, match="expected one of exx"):
        made_strain().strain_by_layer("rotation")
