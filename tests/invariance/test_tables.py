"""What must not matter: lazy tables give the results of the others.

A verb without a row in `verbs_of_tables` fails here.
"""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.signals.column_table import ColumnTable
from particlespy_ml.signals.particle_table import ParticleTable
from tests.invariance.verbs_of_images import public_methods
from tests.invariance.verbs_of_tables import COLUMN_ROWS, MOVIE_ROWS, NO_VERBS, PARTICLE_ROWS, column_table, measured


@pytest.fixture(scope="module")
def tables(make_movie):
    """A function that returns a table of a kind, made once."""
    made = {}

    def of(kind: str):
        if kind not in made:
            states = np.random.default_rng(0).integers(0, 2, (4, 30)).cumsum(1) // 7 % 2
            makers = {
                "particles": measured,
                "movie": lambda: make_movie(states),
                "columns": column_table,
                "counted columns": lambda: of("columns").count_atoms(),
            }
            made[kind] = makers[kind]()
        return made[kind]

    return of


def rechunked(table):
    table.data = table.data.rechunk(1)
    return table


COUNTED = ("total_counts", "to_atoms")


def table_cases():
    for kind, rows in (("particles", PARTICLE_ROWS), ("movie", MOVIE_ROWS), ("columns", COLUMN_ROWS)):
        for verb, run in rows.items():
            name = "counted columns" if verb in COUNTED else kind
            yield pytest.param(name, verb, run, id=f"{kind}.{verb}")


@pytest.mark.parametrize(("kind", "verb", "run"), table_cases())
def test_lazy_tables(kind, verb, run, tables, tmp_path):
    """Lazy, one frame a chunk."""
    table = tables(kind)
    folder = {"folder": tmp_path} if verb in ("save", "to_csv", "to_excel") else {}
    one, other = run(table, **folder), run(rechunked(table.deepcopy().as_lazy()), **folder)
    assert one and set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_allclose(
            np.asarray(other[name], float), np.asarray(values, float), rtol=1e-9, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize(
    ("cls", "rows"), [(ParticleTable, {**PARTICLE_ROWS, **MOVIE_ROWS}), (ColumnTable, COLUMN_ROWS)]
)
def test_every_verb_of_tables_has_a_row(cls, rows):
    assert public_methods(cls) - {name.split(" ")[0] for name in rows} - NO_VERBS == set()
