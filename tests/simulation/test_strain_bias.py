"""The bias of strain of a small particle: its truth, its regions, and what profiles of columns leave of it."""

import numpy as np
import pytest

pytest.importorskip("abtem")

from particlespy_ml.counting.to_atoms import build_atoms
from particlespy_ml.simulation import HAADFMicroscope, strain_bias
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.strain_bias import _model, compare_strain
from particlespy_ml.strain import measure_strain

# far from where columns look like Gaussians
LENS = Optics(defocus=-125.0, spherical_aberration=-1e5, focal_spread=29.0)
QUICK = {"thermal_rms": 0.0, "snapshots": 1, "relaxed": False}


@pytest.fixture(scope="module")
def particle():
    """Columns (x, y) in Å and heights of a truncated octahedron of gold of 201 atoms along <110>."""
    from ase.cluster import Octahedron

    atoms = Octahedron("Au", 7, 2)
    x, y = atoms.positions[:, 2], (atoms.positions[:, 0] - atoms.positions[:, 1]) / 2**0.5
    numbers = np.column_stack([x, y]).round(2)
    places, heights = np.unique(numbers, axis=0, return_counts=True)
    return places - places.mean(0), heights


@pytest.fixture(scope="module")
def read(particle):
    places, heights = particle
    methods = ("gaussians", "profiles")
    return {name: strain_bias(places, "Au", "<110>", LENS, heights=heights, method=name, **QUICK) for name in methods}


def test_a_perfect_model_has_no_strain_and_the_bias_is_what_was_read(particle, read):
    places, heights = particle
    for found in read.values():
        table = found.to_dataframe()
        assert len(table) == len(places) and (table["height"].to_numpy() == heights[table["column"]]).all()
        assert np.nanmax(np.abs(table[["exx_true", "eyy_true", "exy_true"]])) < 1e-3
        off = table[["x", "y"]].to_numpy() + table[["x_bias", "y_bias"]].to_numpy()
        matched = np.isfinite(table["planar_bias"].to_numpy())
        again = measure_strain(off, ("fcc", "<110>"), reference=matched)["planar"]
        both = table["planar_true"] + table["planar_bias"]
        np.testing.assert_allclose(both[matched], again[matched], atol=1e-9)


def test_profiles_leave_less_of_the_bias_than_gaussians(read):
    gaussians, profiles = (read[name].summary().loc["all"] for name in ("gaussians", "profiles"))
    assert gaussians["n"] >= 40 and profiles["n"] >= 40
    assert profiles["planar_mean_size"] < 0.005
    assert profiles["planar_rms"] < 0.7 * gaussians["planar_rms"]


def test_the_bias_is_told_by_facet_and_layer(read):
    by_facet = read["gaussians"].summary()
    assert {"inside", "{111}", "{100}", "corner", "all"} == set(by_facet.index)
    assert by_facet["n"].drop("all").sum() == by_facet.loc["all", "n"]
    by_layer = read["gaussians"].summary("layer")
    assert by_layer.index.tolist()[0] == 1 and by_layer.index.tolist()[-1] == "all"
    with pytest.raises(ValueError, match="'facet' or 'layer'"):
        read["gaussians"].summary("size")


def test_tables_and_atoms_give_the_model_of_places(particle):
    from particlespy_ml.core.calibration import PixelGrid
    from particlespy_ml.tables.table import make_table

    places, heights = particle
    plain, numbers, pixel = _model(places, "Au", "<110>", heights, None)
    assert pixel is None and numbers.tolist() == list(range(len(places)))
    grid = PixelGrid((200, 200), (0.02, 0.02), (0.0, 0.0), "nm")
    rows = np.zeros(len(places), [("x", "f8"), ("y", "f8"), ("count", "i4")])
    rows["x"], rows["y"], rows["count"] = *(places / 10).T, heights
    data = np.empty(1, object)
    data[0] = rows
    axes = [{"name": "image", "size": 1, "navigate": True}]
    table = make_table(data, axes, {"x": "nm", "y": "nm", "count": ""}, {"image": grid.as_dict()}, "", "column_table")
    of_table, _, pixel = _model(table, "Au", "<110>", None, None)
    np.testing.assert_allclose(of_table.positions, plain.positions, atol=1e-6)
    assert pixel == pytest.approx(0.2)
    of_atoms, numbers, _ = _model(plain, "Au", "<110>", None, None)
    np.testing.assert_allclose(of_atoms.positions, plain.positions)
    assert len(numbers) == len(places)


def test_equal_places_have_no_bias(particle):
    places, _ = particle
    table = compare_strain(places, 1.02 * places + 7, "fcc", "<110>")  # scale and shift are no strain
    assert np.nanmax(np.abs(table[["exx_bias", "eyy_bias", "exy_bias", "rotation_bias"]])) < 1e-9


def test_what_has_no_strain_is_refused(particle):
    places, heights = particle
    scattered = np.random.default_rng(0).uniform(0, 30, (40, 2))
    with pytest.raises(ValueError, match="lattice"):
        strain_bias(scattered, "Au", "<110>", LENS, heights=np.full(40, 4), **QUICK)
    with pytest.raises(TypeError, match="expected Optics"):
        strain_bias(places, "Au", "<110>", "Titan", heights=heights)
    with pytest.raises(ValueError, match="give heights="):
        strain_bias(places, "Au", "<110>", LENS)
    with pytest.raises(ValueError, match="one for each"):
        strain_bias(places, "Au", "<110>", LENS, heights=[1, 2])
    with pytest.raises(ValueError, match="gaussians, profiles"):
        strain_bias(places, "Au", "<110>", LENS, heights=heights, method="maxima")
    with pytest.raises(ValueError, match="expected Pt"):
        strain_bias(build_atoms(places, heights, "Au", zone_axis="<110>"), "Pt", "<110>", LENS)


def test_relaxed_models_have_strain_and_are_read_in_haadf_images():
    from ase import Atoms
    from ase.cluster import Octahedron

    x, y, z = Octahedron("Au", 4, 1).positions.T
    turned = np.column_stack([z, (x - y) / 2**0.5, (x + y) / 2**0.5])
    model = Atoms(["Au"] * len(turned), positions=turned)
    settings = {"thermal_rms": 0.05, "snapshots": 1, "source_size": 0.8, "pixel_size": 0.3, "dose": 1e6}
    found = strain_bias(model, "Au", "<110>", HAADFMicroscope(energy=300e3), **settings)
    table = found.to_dataframe()
    known = np.isfinite(table["planar_bias"])
    assert known.sum() >= 8 and table["height"].sum() == len(model)
    assert table["planar_true"][known].std() > 1e-3
    assert np.abs(table[["x_bias", "y_bias"]]).max().max() < 0.15
