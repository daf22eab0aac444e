"""Every column that a verb makes is defined, here and on the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.tables.definitions import COLUMNS, PARTICLES, UNITS, define, dimension, error_column, page
from particlespy_ml.tables.table import make_table, object_array


@pytest.fixture(scope="module")
def tables():
    image, particle = pml.data.gold_on_carbon(), pml.data.columns_of_platinum()
    table = image.classify_particles()
    measured = particle.measure_particles()
    zones = particle.extract_particles(measured).find_zone_axis("Pt", table=measured)
    columns = particle.find_columns()
    rows = found_by_network()
    return [
        table.track_particles(),
        table.cluster_particles(n_clusters=2, resamples=0),
        table.measure_shape(image=image),
        table.measure_shape("embedding", image),
        zones,
        pml.concatenate([table, table]),
        columns.count_atoms(library=pml.data.platinum_library()),
        pml.concatenate([columns, columns]),
        columns.count_atoms_in_series(pml.data.platinum_library()),
        rows,
        columns.measure_strain(),
        tracked(),
        movie_of(columns).mean_columns(),
    ]


def movie_of(columns):
    """Two frames of the same columns."""
    record = columns.metadata.get_item("particlespy_ml").as_dictionary()
    axes = [{"name": "time", "size": 2, "navigate": True}]
    return make_table(object_array(2 * [columns.data[0]], (2,)), axes, columns.units, record, kind="column_table")


def tracked():
    """A movie of one image."""
    import hyperspy.api as hs

    movie = hs.stack([pml.data.columns_of_platinum().isig[40:140, 40:140]] * 2, show_progressbar=False)
    movie.set_signal_type("HAADF")
    return movie.track_columns(show_progressbar=False)


def found_by_network():
    """A table with all that a network may tell of columns: their particle, kind and height."""
    image = pml.data.columns_of_gold().isig[1.0:3.0, 1.0:3.0]
    mapper = pml.load_model("columns-hrtem")
    kinds = [{"kind": "metal", "heights": 11}, {"kind": "other", "heights": 1}]
    two = type(mapper)({**mapper.card, "columns": kinds}, mapper.weights)
    return image.find_columns(model=two, labels=np.ones(image.data.shape, int))


def test_every_column_of_every_table_is_defined(tables):
    seen = set()
    for table in tables:
        described = table.describe_columns()
        assert described.index.tolist() == table.columns
        assert not described["definition"].eq("").any(), described[described["definition"] == ""]
        assert described["unit"].tolist() == [table.units.get(name, "") for name in table.columns]
        seen |= set(table.columns)
        for name, unit in described["unit"].items():
            expected = dimension(name).rpartition(" ")[2].replace("length", "nm").replace("degrees", "°")
            assert unit == expected or dimension(name) == "pixel value" and unit == "", name
    rest = set(PARTICLES) | set(COLUMNS)
    assert rest - seen <= {"subcluster", "subcluster_probability", "detection_probability", "min_probability"}


def test_columns_of_ones_own_have_no_definition():
    assert define("my_column") == "" and define("probability_of_rain") == "probability of the class of_rain"
    assert np.all([define(name, "column_table") for name in COLUMNS])


def test_the_page_is_that_of_the_package():
    written = (Path(__file__).parents[2] / "docs" / "columns.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew from particlespy_ml.tables.definitions.page()"


def test_units_and_errors_are_those_of_columns():
    known = [name for names in UNITS.values() for name in names.split()]
    assert len(known) == len(set(known)) and set(known) <= set(PARTICLES) | set(COLUMNS)
    for kind, columns in (("particle_table", PARTICLES), ("column_table", COLUMNS)):
        errors = {name: error_column(name, kind) for name in columns}
        assert set(errors.values()) <= {"", *columns}
        assert all(dimension(error) == dimension(name) for name, error in errors.items() if error.endswith("_error"))
        written = {error for error in errors.values() if error.endswith("_error")}
        assert written == {name for name in columns if name.endswith("_error")}
