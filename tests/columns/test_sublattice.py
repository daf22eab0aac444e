"""Columns to and from atomap, and tables of places alone."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.columns.rows import METHODS, column_dtype, column_units


@pytest.fixture(scope="module")
def image():
    return pml.data.columns_of_platinum()


@pytest.fixture(scope="module")
def fitted(image):
    return image.find_columns()


@pytest.mark.parametrize("method", METHODS)
def test_every_column_has_a_dtype_and_a_unit(method):
    dtype, units = column_dtype(method), column_units("nm", method)
    assert dtype.names == tuple(units) == METHODS[method]
    assert units["x"] == "nm" and dtype["x"] == np.float64 and dtype["flags"] == np.int32
    assert ("volume" in dtype.names) == (method == "fit")


def test_places_go_to_atomap_and_come_back(image, fitted, tmp_path):
    sublattice = fitted.to_sublattice(image)
    places = pml.columns.from_sublattice(sublattice, image)
    np.testing.assert_allclose(places["x"], fitted["x"])
    np.testing.assert_allclose(places["y"], fitted["y"])
    assert places.columns == list(METHODS["given"]) and places.units["x"] == "nm"
    np.testing.assert_array_equal(places["flags"] & 1, 0)
    places.save(tmp_path / "a.hspy")
    assert hs.load(tmp_path / "a.hspy").to_dataframe().equals(places.to_dataframe())
    again = places.to_sublattice(image)
    np.testing.assert_allclose(again.atom_positions, sublattice.atom_positions)
    places.plot_columns(image).figure.canvas.draw()
    refitted = image.find_columns(sublattice)
    np.testing.assert_allclose(refitted["volume"], fitted["volume"], rtol=0.02)


def test_the_sites_are_those_of_the_fit(image, fitted):
    places = pml.columns.from_sublattice(np.column_stack([fitted["x"], fitted["y"]]), image)
    for name in ("site_a", "site_b"):
        np.testing.assert_array_equal(places[name], fitted[name])


@pytest.mark.parametrize(
    "verb",
    [
        lambda table: table.count_atoms(),
        lambda table: table.count_atoms_in_series(pml.data.platinum_library()),
        lambda table: table.plot_mixture(),
    ],
)
@pytest.mark.parametrize("count", [0, 2])
def test_what_needs_cross_sections_says_so(image, verb, count):
    places = pml.columns.from_sublattice(np.ones((count, 2)), image)
    with pytest.raises(ValueError, match=r"no volume and no volume_error.*image\.find_columns\(positions\)"):
        verb(places)


def test_bad_input(image):
    with pytest.raises(ValueError, match="lie outside of the image"):
        pml.columns.from_sublattice([[1e3, 1.0]], image)
    with pytest.raises(ValueError, match="Expected one image"):
        pml.columns.from_sublattice([[1.0, 1.0]], hs.stack([image, image]))
