"""Some rows, some columns."""

from __future__ import annotations

import numpy as np
import pytest

import particlespy_ml as pml


@pytest.fixture(scope="module")
def table():
    return pml.data.gold_on_carbon().classify_particles()


@pytest.fixture(scope="module")
def movie(table):
    return pml.concatenate([table, table.select("area < 0"), table])


@pytest.mark.parametrize(
    "wanted", [slice(2, 9), slice(None, None, 3), slice(0, 0), [0, 3, 11], [-1], np.arange(12) % 5 == 0, []], ids=str
)
@pytest.mark.parametrize("lazy", [False, True])
def test_rows_as_numpy_takes_them(movie, wanted, lazy):
    given = movie.as_lazy() if lazy else movie
    some = given[wanted]
    expected = movie["area"][wanted if not isinstance(wanted, list) else np.array(wanted, int)]
    np.testing.assert_array_equal(some["area"], expected)
    assert len(some.data) == 3 and some.columns == movie.columns and some.classes == movie.classes


def test_a_mask_of_a_column(movie):
    assert (movie[movie["area"] > 10]["area"] > 10).all()
    assert set(movie[movie["class"] != "undefined"]["class"]) <= set(movie.classes)


@pytest.mark.parametrize(("wanted", "error"), [([12], IndexError), ([0] * 12, ValueError), ([True], ValueError)])
def test_rows_that_are_not_there(movie, wanted, error):
    with pytest.raises(error):
        movie[wanted]


@pytest.mark.parametrize("lazy", [False, True])
def test_columns_dropped(table, lazy):
    given = table.as_lazy() if lazy else table
    less = given.drop(["outline", "class"])
    assert less._lazy == lazy and less.classes == ()
    assert set(table.columns) - set(less.columns) == {
        "outline",
        "class",
        "class_index",
        "probability",
        *(f"probability_{name}" for name in (*table.classes, "none")),
    }
    assert less.data[0].dtype.names == tuple(less.columns) if not lazy else True
    assert not less.metadata.has_item("particlespy_ml.model")
    with pytest.raises(ValueError, match="no column 'colour'"):
        table.drop("colour")


def test_computing_what_is_computed(table):
    before = table.to_dataframe()
    table.compute()
    assert table.to_dataframe().equals(before)


def test_the_preview_names_units(table):
    assert "area (nm²)" in table._repr_html_() and "x (nm)" in table._repr_html_()


def test_what_is_confused_is_not_known_of_chosen_classes(table):
    table = table.deepcopy()
    matrix = np.eye(len(table.classes)).tolist()
    table.metadata.set_item("particlespy_ml.model.confusion_matrix", matrix)
    for condition in ("area > 0", slice(None), np.ones(table.n_rows, bool)):
        assert len(table.select(condition).metadata.particlespy_ml.model.confusion_matrix)
    for condition in ("probability > 0.5", "`class` != 'amorphous'", f"probability_{table.classes[0]} > 0.1"):
        assert len(table.select(condition).metadata.particlespy_ml.model.confusion_matrix) == 0
