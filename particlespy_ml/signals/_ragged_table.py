"""What tables have in common: a ragged signal with one structured array for each frame."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
from hyperspy.signals import BaseSignal

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.signals._save import SafeSaveMixin
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.dataframe import to_dataframe
from particlespy_ml.tables.definitions import describe_columns
from particlespy_ml.tables.export import to_csv, to_excel
from particlespy_ml.tables.select import drop, select

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class RaggedTable(SafeSaveMixin, BaseSignal):
    """Rows of an image or a series: one structured array for each frame.

    The navigation axes (time, temperature, tilt, ...) are those of the images. Units of the columns and the provenance
    are in ``metadata.particlespy_ml``.
    """

    _signal_dimension = 0
    _rows_are = "rows"

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.metadata.get_item(f"{METADATA_NODE}.columns")]

    @property
    def units(self) -> dict[str, str]:
        """Unit of every column; empty where it has none."""
        units = self.metadata.get_item(f"{METADATA_NODE}.units").as_dictionary()
        return {name: str(units.get(name, "")) for name in self.columns}

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the rows in order, without "undefined"; empty where they are not classified."""
        return tuple(str(name) for name in self.metadata.get_item(f"{METADATA_NODE}.classes", []))

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Names that the values 0, 1, ... of a column stand for, of each column that has such."""
        names = self.metadata.get_item(f"{METADATA_NODE}.names")
        return {} if names is None else {key: tuple(map(str, value)) for key, value in names.as_dictionary().items()}

    @property
    def n_rows(self) -> int:
        """Number of rows in all frames."""
        return sum(len(rows) for rows in self._frames())

    def __getitem__(self, column: str | ArrayLike | slice):
        """Return a column over all frames, shape (rows, ...), of names where its numbers stand for such.

        Booleans, a slice or whole numbers give the table with these rows, see `select`.
        """
        if not isinstance(column, str):
            return self.select(column)
        codes = self.codes(column)
        if column not in self.names:
            return codes
        return np.array([*self.names[column], UNDEFINED], dtype=object)[np.maximum(codes, -1)]

    def codes(self, column: str) -> np.ndarray:
        """Return a column over all frames as the numbers that it holds, also where these stand for names."""
        if column not in self.columns:
            raise KeyError(f"There is no column {column!r}; expected one of {', '.join(self.columns)}.")
        return np.concatenate([rows[column] for rows in self._frames()])

    select = select
    drop = drop
    describe_columns = describe_columns
    to_dataframe = to_dataframe
    to_csv = to_csv
    to_excel = to_excel

    def transpose(self, *args: object, **kwargs: object) -> None:
        """Raise, since a table has no signal axes; `hyperspy.api.stack` comes here."""
        raise TypeError(
            "A table has rows, and no signal axes; tables are joined by particlespy_ml.concatenate([a, b])."
        )

    def compute(self, *args: object, **kwargs: object) -> None:
        """Compute a lazy table in place; nothing is to be done for one that is not lazy."""
        if self._lazy:
            super().compute(*args, **kwargs)

    _saved_as = ".hspy, or as CSV or Excel with table.to_csv() or table.to_excel()"

    def _lost_in(self, kind: str) -> str:
        return "" if kind == "hspy" else "only HDF5 files of HyperSpy hold rows of several columns for each frame"

    def _to_save(self, kind: str):
        """The table, computed: ragged files cannot be lazy."""
        return self._computed()

    def _computed(self):
        """This table, or a computed copy of a lazy one, which keeps the result so that it is computed once."""
        if not self._lazy:
            return self
        import dask.array as da

        table = self.deepcopy()
        table.compute()
        self.data = da.from_array(table.data, chunks=-1, name=False)
        return table

    def _frames(self) -> list[np.ndarray]:
        """Rows of each frame in the order of the series."""
        return list(self._computed().data.ravel())

    def __repr__(self) -> str:
        text = super().__repr__()
        return text if self._lazy else f"{text[:-1]}, {self.n_rows} {self._rows_are}>"

    def _repr_html_(self) -> str:
        """Show a table with its units, not a line, in notebooks; a lazy one shows its chunks, as HyperSpy does."""
        frame = self.to_dataframe(units_in_names=True)
        return f"<pre>{html.escape(repr(self))}</pre>{frame._repr_html_()}"
