"""Counting tables of columns: methods, laziness, totals, bad input."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import particlespy_ml as pml
from particlespy_ml.columns.flags import Flag

INCREMENT = 0.05 * 1e4 * 0.04  # Å² of an image in electrons: 0.04 Å² a pixel


@pytest.fixture(scope="module")
def counted_columns(make_columns, make_image):
    """Table of a particle, and the true count of each of its rows."""
    image, positions, counts = make_columns(edge=13, dose=1e4, cross_section=0.05)
    table = make_image(image, scale=0.02).find_columns(dose="electrons")
    _, index = cKDTree(positions[:, ::-1] * 0.02).query(np.column_stack([table["x"], table["y"]]))
    return table, counts[index]


LIBRARY = INCREMENT * np.arange(1, 9)


def own_rows(table):
    """A copy whose rows may be changed; a deepcopy shares them."""
    return table.select(np.ones(table.n_columns, bool))


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


@pytest.fixture(scope="module")
def unresolved(make_columns, make_image):
    """Table of a particle whose numbers of atoms are not resolved, uncounted, and the true total of its columns."""
    image, positions, counts = make_columns(dose=300, seed=3)
    table = make_image(image, scale=0.02).find_columns(dose="electrons")
    places = np.column_stack([table["y"], table["x"]]) / 0.02
    distance, nearest = cKDTree(positions).query(places)
    assert (distance < 4).all()
    return table, counts[nearest].sum()


@pytest.mark.parametrize("method", ["mixture", "hybrid"])
def test_what_is_not_resolved_has_best_guesses_and_a_total(unresolved, method):
    """For "hybrid" with a range of factors of which more than one fits."""
    table, truth = unresolved
    found = table.count_atoms(method, 0.0235 * 300 * 0.04 * np.arange(1, 9), factors=(0.5, 2.0))
    assert (found["count"] == -1).all() and (found["best_count"] >= 0).all()
    probable = found["best_probability"]
    assert ((probable > 0) & (probable <= 1)).all() and np.isnan(found["probability"]).all()
    flag = Flag.UNRESOLVED if method == "mixture" else Flag.UNCERTAIN_SCALE
    assert (found["flags"] & flag != 0).all()
    totals = found.total_counts().iloc[0]
    assert totals["low"] <= truth <= totals["high"] and totals["high"] > 1.1 * totals["low"]
    assert totals["counted"] == 0 and totals["in_total"] == found.n_columns and totals["doubt"] != ""
    assert totals["not_counted_because"] != ""


def test_a_model_of_best_guesses(unresolved):
    found = unresolved[0].count_atoms("mixture")
    with pytest.raises(ValueError, match="best=True"):
        found.to_atoms("Pt")
    kept = found["best_count"] > 0
    assert len(found.to_atoms("Pt", best=True, zone_axis="<001>")) == found["best_count"][kept].sum()


def test_totals_survive_selecting_saving_and_joining(counted_columns, tmp_path):
    import hyperspy.api as hs

    whole = counted_columns[0].count_atoms("mixture", max_components=10)
    half = np.arange(whole.n_columns) % 2 == 0
    parts = [whole.select(half), whole.select(~half)]
    totals = [part.total_counts().iloc[0] for part in (*parts, whole)]
    assert totals[0]["total"] + totals[1]["total"] == pytest.approx(totals[2]["total"], abs=1)
    # what columns share adds up along the columns, not in squares
    widths = [one["high"] - one["low"] for one in totals]
    assert widths[2] <= widths[0] + widths[1] + 0.5
    parts[0].save(tmp_path / "half.hspy")
    assert hs.load(tmp_path / "half.hspy").total_counts().equals(parts[0].total_counts())
    assert "shared_draws" not in whole.to_dataframe().columns


def test_frames_of_every_kind_have_the_same_columns(counted_columns, make_image, make_columns):
    """Resolved, unresolved, empty and of one column, by every method."""
    frames = [make_columns(edge=9, dose=1e4, cross_section=0.05)[0], make_columns(edge=9, dose=300, seed=3)[0]]
    frames += [np.zeros_like(frames[0]), frames[0].copy()]
    s = make_image(np.stack(frames), scale=0.02, names=("time",))
    table = s.find_columns(dose="electrons")
    table.data[3] = table.data[3][:1]
    for method in ("library", "mixture", "hybrid", "atomap"):
        found = table.count_atoms(method, LIBRARY, max_components=8)
        assert len({rows.dtype for rows in found.data}) == 1
        assert set(found.columns) == set(found.data[0].dtype.names) == set(found.units)
        totals = found.total_counts()
        assert np.isfinite(totals["total"]).tolist() == [True, True, False, True]
        assert (totals["low"] <= totals["total"] + 0.5).tolist() == [True, True, False, True]


def test_small_cross_sections_are_not_single_atoms(counted_columns):
    """With a library, too: a fifth of a single atom is no column."""
    table, truth = counted_columns
    strange = own_rows(table)
    strange.data[0]["volume"][5], strange.data[0]["volume_error"][5] = 0.2 * LIBRARY[0] / 100, 0.05 * LIBRARY[0] / 100
    for found in (strange.count_atoms(library=LIBRARY), strange.count_atoms("mixture", max_components=10)):
        assert found["count"][5] == -1 and found["best_count"][5] == 0 and found["flags"][5] & Flag.OUTLIER
        others = np.arange(len(truth)) != 5
        totals = found.total_counts().iloc[0]
        assert totals["low"] <= truth[others].sum() <= totals["high"] and totals["in_total"] == len(truth)


def test_columns_cut_by_the_border_are_in_no_total(counted_columns):
    table, truth = counted_columns
    cut = own_rows(table)
    cut.data[0]["flags"][:4] |= int(Flag.AT_BORDER)
    totals = cut.count_atoms(library=LIBRARY).total_counts().iloc[0]
    assert totals["total"] == pytest.approx(truth[4:].sum(), abs=2)
    assert "border" in totals["not_counted_because"] and totals["in_total"] == len(truth) - 4


def test_atomap_counts_from_one_and_says_what_that_leaves_open(counted_columns):
    """Without single and double atoms atomap's numbers are two short."""
    table, truth = counted_columns
    thick = table.select(truth > 2)
    found = thick.count_atoms("atomap", max_components=8)
    assert found["count"].min() == 1
    known = thick.count_atoms("atomap", max_components=8, offset=2)
    assert known["count"].min() == 3


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
    # the curve continued
    assert np.abs(found["best_count"][beyond] - truth[beyond]).max() <= 1
    totals = found.total_counts().iloc[0]
    assert totals["low"] <= truth.sum() <= totals["high"] and "above" in totals["doubt"]


def test_outliers_are_flagged(counted_columns):
    table, _ = counted_columns
    strange = own_rows(table)
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
