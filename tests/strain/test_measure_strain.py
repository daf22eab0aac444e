"""The verb: places and tables, eager and lazy, and what it refuses."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from benchmarks.strain.structures import lattice
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.strain.frame import DTYPE
from particlespy_ml.tables.table import make_table, object_array

measure_strain = pml.strain.measure_strain
GRID = PixelGrid((100, 100), (0.02, 0.02), (-1.0, -1.0), "nm")


def column_table(shape=(2, 3)):
    """Lattices of gold <001> in nm, the first frame without columns, with errors and labels."""
    frames = []
    for number in range(int(np.prod(shape))):
        places = 0.204 * lattice("square", 4.2, None, 5 * number) if number else np.empty((0, 2))
        rows = np.zeros(len(places), [(name, "f8") for name in ("x", "y", "x_error", "y_error")] + [("label", "i4")])
        rows["x"], rows["y"] = places.T * (1 + 0.01 * number)
        rows["x_error"], rows["y_error"], rows["label"] = 0.001, 0.002, 1 + (rows["x"] > 0)
        frames.append(rows)
    axes = [
        {"name": name, "size": size, "navigate": True} for name, size in zip("ab"[: len(shape)], shape, strict=True)
    ]
    units = {name: "" if name == "label" else "nm" for name in frames[0].dtype.names}
    return make_table(object_array(frames, shape), axes, units, {"image": GRID.as_dict()}, kind="column_table")


def test_a_table_keeps_its_rows_and_gets_the_strain():
    table = column_table()
    found = table.measure_strain("fcc<001>", scale="4.08 Å")
    assert found.columns == [*table.columns, *(name for name, _ in DTYPE)]
    assert found.data.shape == table.data.shape and found.n_rows == table.n_rows
    assert found.units["rotation"] == "°" and found.units["x"] == "nm" and found.units["exx"] == ""
    assert set(found["template"]) == {"fcc<001>"} and found.codes("template").max() == 0
    last = found.data[-1, -1]
    np.testing.assert_allclose(last["planar"], 0.05, atol=1e-12)
    np.testing.assert_allclose(last["rotation"], 25, atol=1e-9)
    assert (last["exx_error"] < last["eyy_error"]).mean() > 0.9
    assert found.metadata.particlespy_ml.strain.templates == ["fcc<001>"]
    again = found.measure_strain("square")
    assert again.columns == found.columns and set(again["template"]) == {"square"}


def test_lazy_is_eager(same_rows):
    table = column_table()
    lazy = table.as_lazy()
    lazy.data = lazy.data.rechunk(1)
    one, other = table.measure_strain(reference="label == 1"), lazy.measure_strain(reference="label == 1")
    assert other._lazy
    other.compute(show_progressbar=False)
    same_rows(one, other)


@pytest.mark.parametrize("shape", [(1,), (4,), (2, 2)])
def test_frames_of_any_number_of_columns_are_measured_one_by_one(shape, same_rows):
    table = column_table(shape)
    whole = column_table((1, 2)).data[0, 1]
    for index, count in zip(np.ndindex(*shape), (len(whole), 0, 1, 2), strict=False):
        table.data[index] = whole[:count]
    found = table.measure_strain("square", reference="label == 1")
    lazy = table.as_lazy().measure_strain("square", reference="label == 1")
    lazy.compute(show_progressbar=False)
    same_rows(found, lazy)
    for index in np.ndindex(*shape):
        assert len(found.data[index]) == len(table.data[index])
        alone = (
            table.inav[index[::-1] if len(shape) > 1 else index[0]]
            .measure_strain("square", reference="label == 1")
            .data.ravel()[0]
        )
        for name in alone.dtype.names:
            np.testing.assert_array_equal(found.data[index][name], alone[name])
        assert np.isfinite(found.data[index]["exx"]).sum() in (0, len(whole))


def test_references():
    table = column_table((1, 2)).inav[1, 0]
    rows = table.measure_strain("square", reference="label == 2").data[0]
    assert abs(rows["planar"][rows["label"] == 2].mean()) < 1e-12
    for roi in (hs.roi.RectangularROI(0, -1, 1, 1), hs.roi.CircleROI(0, 0, 0.5)):
        assert np.isfinite(table.measure_strain("square", reference=roi).data[0]["exx"]).all()
    mask = rows["label"] == 2
    np.testing.assert_array_equal(table.measure_strain("square", reference=mask).data[0]["exx"], rows["exx"])


def test_places_and_sublattices():
    from atomap.api import Sublattice

    places = lattice("hexagonal", 4)
    frame = measure_strain(places, ["square", "hexagonal"], errors=0.01)
    assert frame.columns.tolist() == ["x", "y", *(name for name, _ in DTYPE)]
    assert (frame["template"] == "hexagonal").all() and frame.attrs["units"]["rotation"] == "°"
    pixels = 10 * places + 50
    of_sublattice = measure_strain(Sublattice(pixels, np.zeros((100, 100))), "hexagonal")
    np.testing.assert_allclose(of_sublattice["exx"], frame["exx"], atol=1e-9)
    assert measure_strain([]).empty and len(measure_strain([[0, 0]])) == 1
    assert measure_strain([[0, 0], [1, 1]])["template"].eq("undefined").all()


def test_of_auto_one_template_is_taken():
    places = lattice("fcc", 5, "<011>", 33)
    assert measure_strain(places)["template"].eq("fcc<110>").mean() > 0.97
    amorphous = measure_strain(np.random.default_rng(0).random((300, 2)) * 17)
    assert amorphous["template"].eq("undefined").mean() > 0.98


def test_normals_point_out_of_particles_and_not_out_of_the_image():
    inside = column_table((1, 2)).data[0, 1]
    x, y = (one.ravel() for one in np.mgrid[:10, :10])
    rows = np.zeros(100, inside.dtype)
    rows["x"], rows["y"], rows["label"] = (
        -0.95 + 0.2 * x,
        0.2 * y - 0.95,
        1,
    )  # all but the upper rows of y end at borders
    rows["x_error"] = rows["y_error"] = 0.001
    rows = rows[y < 6]
    table = make_table(
        object_array([rows], (1,)),
        [{"name": "image", "size": 1, "navigate": True}],
        {name: "" for name in rows.dtype.names},
        {"image": GRID.as_dict()},
        kind="column_table",
    )
    found = table.measure_strain("square").data[0]
    rim = np.isfinite(found["normal_x"])
    assert rim.sum() == 8 and np.allclose(found["y"][rim], 0.05)
    np.testing.assert_allclose(found["normal_y"][rim], 1)


def test_why_columns_have_no_strain():
    def of(places, template="square"):
        return measure_strain(places, template)["match"].tolist()

    assert of([[0, 0]]) == ["too few neighbours"] and of([[0, 0], [1, 0]]) == 2 * ["too few neighbours"]
    assert set(of(np.column_stack([np.arange(9), np.zeros(9)]))) == {"too few neighbours"}
    square = lattice("square", 4)
    assert of(np.vstack([square, [[np.nan, 0]]])) == len(square) * ["matched"] + ["no place"]
    assert set(of(np.vstack([square, square]))) == {"no template"}
    assert column_table((1, 2)).measure_strain("square")["match"].tolist().count("matched") == len(
        lattice("square", 4.2)
    )


@pytest.mark.parametrize("name", ["square", "hexagonal"])
def test_half_of_the_columns_missing_at_random(name):
    """What is still matched is right, whatever the unit and the origin."""
    rng = np.random.default_rng(0)
    stretch = np.array([[1.02, 0.01], [0.01, 0.99]])
    places = (lattice(name, 9) @ stretch)[rng.random(len(lattice(name, 9))) < 0.5]
    places += rng.normal(0, 0.001, places.shape)  # or rounding would choose among neighbours that are equally far
    frame = measure_strain(places, name, scale=1)
    matched = (frame["match"] == "matched").to_numpy()
    assert matched.mean() > 0.2
    # a superlattice would have a strain of .7 or 1
    np.testing.assert_allclose(frame["exx"][matched], 0.02, atol=0.01)
    np.testing.assert_allclose(frame["exy"][matched], 0.01, atol=0.01)
    for factor, origin in ((1e-3, 0), (1e3, 0), (1, 1e5)):
        other = measure_strain(places * factor + origin, name, scale=factor)
        assert (other["match"] == frame["match"]).all()
        np.testing.assert_allclose(other["exx"], frame["exx"], atol=1e-8)


REFUSED = [
    ({"template": "sqare"}, "Unknown template 'sqare'"),
    ({"template": "square", "neighbours": 7}, "fill no shells"),
    ({"neighbours": 8}, "needs a template"),
    ({"max_rmsd": 0.5}, "up to 0.25"),
    ({"scale": 1, "reference": [True] * 9}, "both given"),
    ({"scale": -1}, "above zero"),
    ({"scale": "4 nm"}, "places have no unit"),
    ({"scale": {"round": 1}, "template": "square"}, "expected a length for each of square"),
    ({"reference": "label == 1"}, "only tables have columns"),
    ({"reference": [True, False]}, "expected 9 booleans"),
    ({"errors": [0.1, 0.2]}, "expected standard errors"),
    ({"errors": -1}, "none below zero"),
    ({"r_max": np.nan}, "above zero"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_is_refused(options, message):
    places = np.array([(x, y) for x in range(3) for y in range(3)])
    with pytest.raises(ValueError, match=message):
        measure_strain(places, **options)


def test_what_is_no_column():
    with pytest.raises(ValueError, match=r"shape \(n, 2\), not \(2, 3\)"):
        measure_strain(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="Expected a column table"):
        measure_strain(hs.signals.Signal2D(np.zeros((4, 4))))
    table = column_table()
    with pytest.raises(ValueError, match="is for one frame, but the table has 6"):
        table.measure_strain("square", reference=np.ones(3, bool))
    with pytest.raises(ValueError, match="has its own"):
        table.measure_strain("square", errors=0.1)
