"""Counting tables of columns: methods, laziness, totals, bad input."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import particlespy_ml as pml
from particlespy_ml.columns.table import Flag

INCREMENT = 0.05 * 1e4 * 0.04  # Å² of an image in electrons: 0.04 Å² a pixel


@pytest.fixture(scope="module")
def counted_columns(make_columns, make_image):
    """Table of a particle, and the true count of each of its rows."""
    image, positions, counts = make_columns(edge=13, dose=1e4, cross_section=0.05)
    table = make_image(image, scale=0.02).find_columns(dose="electrons")
    _, index = cKDTree(positions[:, ::-1] * 0.02).query(np.column_stack([table["x"], table["y"]]))
    return table, counts[index]


LIBRARY = INCREMENT * np.arange(1, 9)


@pytest.mark.parametrize("method", ["library", "hybrid", "mixture", "atomap"])
def test_methods(counted_columns, method):
    table, truth = counted_columns
    found = table.count_atoms(method, LIBRARY, max_components=10)
    assert type(found) is type(table) and found.metadata.particlespy_ml.counting.method == method
    if method == "atomap":
        assert (found["count"] >= 1).all()
        return
    assert np.mean(found["count"] == truth) >= 0.97
    counted = found["count"] > 0
    assert (found["probability"][counted] >= found["probability_2"][counted]).all()
    # the mixture leaves out the one column of eight atoms, which may be anything
    assert (~counted).sum() == (1 if method == "mixture" else 0)
    totals = found.total_counts()
    assert totals["low"][0] <= truth[counted].sum() <= totals["high"][0]
    assert totals["counted"][0] == counted.sum() and totals["columns"][0] == len(truth)


def test_the_default_takes_the_library_where_there_is_one(counted_columns):
    table, _ = counted_columns
    assert table.count_atoms(library=LIBRARY).metadata.particlespy_ml.counting.method == "library"
    assert table.count_atoms(max_components=10).metadata.particlespy_ml.counting.method == "mixture"


@pytest.mark.parametrize("factor", [1.0, 0.1, 100.0])
def test_units(make_columns, make_image, factor):
    """The library is in Å², whatever the unit of the image."""
    image, *_ = make_columns(cross_section=0.05)
    unit = {1.0: "nm", 0.1: "Å", 100.0: "pm"}[factor]
    scale = {"nm": 0.02, "Å": 0.2, "pm": 20.0}[unit]
    s = make_image(image, scale=scale)
    s.axes_manager.signal_axes.set(units=unit)
    assert s.find_columns().count_atoms(library=LIBRARY).total_counts()["total"][0] == pytest.approx(
        make_columns()[2].sum(), abs=3
    )


def test_lazy_is_eager(make_columns, make_image, same_rows):
    image, *_ = make_columns(cross_section=0.05)
    s = make_image(np.stack([image, np.zeros_like(image)]), scale=0.02, names=("time",))
    eager = s.find_columns().count_atoms(library=LIBRARY)
    lazy = s.as_lazy().find_columns().count_atoms(library=LIBRARY)
    assert lazy._lazy and type(lazy).__name__ == "LazyColumnTable"
    lazy.compute()
    same_rows(eager, lazy)
    totals = eager.total_counts()
    assert np.isnan(totals["total"][1]) and totals["columns"][1] == 0


def test_counting_again_replaces_counts(counted_columns, same_rows):
    table, _ = counted_columns
    once = table.count_atoms(library=LIBRARY)
    twice = once.count_atoms("atomap").count_atoms(library=LIBRARY)
    same_rows(once, twice)


def test_an_unresolved_mixture_is_no_number(make_columns, make_image, caplog):
    image, *_ = make_columns(dose=300, seed=3)
    found = make_image(image, scale=0.02).find_columns().count_atoms("mixture")
    assert (found["count"] == -1).all() and (found["flags"] & Flag.UNRESOLVED != 0).all()
    assert "not counted" in caplog.text
    assert "not resolved" in found.total_counts()["not_counted_because"][0]
    assert any("not resolved" in text for text in found.describe_flags())


def test_too_few_columns_are_no_number(counted_columns):
    table, _ = counted_columns
    few = table.select(np.arange(table.n_columns) < 20)
    found = few.count_atoms("mixture")
    assert (found["count"] == -1).all() and (found["flags"] & Flag.TOO_FEW_COLUMNS != 0).all()
    none = table.select(np.zeros(table.n_columns, bool))
    for method in ("library", "mixture", "hybrid", "atomap"):
        assert none.count_atoms(method, LIBRARY).n_columns == 0
    one = table.select(np.arange(table.n_columns) == 3)
    assert one.count_atoms(library=LIBRARY)["count"][0] > 0


def test_columns_beyond_the_library_are_no_number(counted_columns):
    table, truth = counted_columns
    found = table.count_atoms(library=LIBRARY[:3])
    beyond = found["flags"] & Flag.BEYOND_LIBRARY != 0
    np.testing.assert_array_equal(beyond, truth > 3)
    assert (found["count"][beyond] == -1).all()


def test_outliers_are_flagged(counted_columns):
    table, _ = counted_columns
    strange = table.deepcopy()
    strange.data[0]["volume"][5] = (LIBRARY[3] + LIBRARY[4]) / 200
    strange.data[0]["volume_error"][5] = LIBRARY[0] / 2000
    assert strange.count_atoms(library=LIBRARY, scatter=0.0)["flags"][5] & Flag.OUTLIER


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("magic",), "auto, mixture, library"),
        (("library",), "needs library="),
        (("mixture", None, "width", "free"), "dose_and_scatter"),
        (("library", [1.0, 2.0], "scatter", 3.0), "scatter"),
        (("library", [2.0, 1.0]), "grow"),
    ],
)
def test_errors(counted_columns, arguments, match):
    options = {arguments[2]: arguments[3]} if len(arguments) > 2 else {}
    with pytest.raises(ValueError, match=match):
        counted_columns[0].count_atoms(*arguments[:2], **options)


def test_what_is_no_table(counted_columns):
    with pytest.raises(TypeError, match="column table"):
        pml.counting.count_atoms(np.zeros(3))
    with pytest.raises(ValueError, match="count_atoms"):
        counted_columns[0].total_counts()
    with pytest.raises(ValueError, match="between 0 and 1"):
        counted_columns[0].count_atoms(library=LIBRARY).total_counts(95)


def test_counts_are_saved(counted_columns, tmp_path, same_rows):
    import hyperspy.api as hs

    found = counted_columns[0].count_atoms(library=LIBRARY)
    found.save(tmp_path / "counts.hspy")
    same_rows(found, hs.load(tmp_path / "counts.hspy"))


def test_a_library_of_another_microscope_is_flagged(counted_columns, caplog):
    table, _ = counted_columns
    assert table.count_atoms(library=LIBRARY).total_counts()["doubt"][0] == ""
    wrong = table.count_atoms(library=0.88 * LIBRARY)
    assert (wrong["flags"] & Flag.LIBRARY_MISFIT != 0).all() and "does not fit" in caplog.text
    assert "does not fit" in wrong.total_counts()["doubt"][0]
    right = wrong.count_atoms("hybrid", 0.88 * LIBRARY)
    assert not (right["flags"] & Flag.LIBRARY_MISFIT).any()
