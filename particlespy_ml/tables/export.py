"""The verbs `to_csv` and `to_excel`: tables for other programs, with the units in the names of the columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.core.files import replacing
from particlespy_ml.tables.dataframe import to_dataframe
from particlespy_ml.tables.units import convert

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal


def to_csv(table: BaseSignal, filename: str | Path, length_unit: str | None = None) -> None:
    """Write a table as comma-separated values, in UTF-8 with the mark that spreadsheets tell it by.

    Parameters
    ----------
    table
        Particle or column table. A lazy one is computed.
    filename
        File to write. It is replaced only once the new one is whole.
    length_unit
        Unit of all lengths, such as "nm"; by default the table's own.

    Raises
    ------
    ValueError
        If *length_unit* is no unit of length.

    See Also
    --------
    to_dataframe : the same rows for pandas; outlines are in neither.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_csv(Path(folder, "particles.csv"), length_unit="nm")
    ...     Path(folder, "particles.csv").read_text(encoding="utf-8-sig")[:31]
    'frame,label,x (nm),y (nm),area '
    """
    frame = to_dataframe(table, length_unit=length_unit, units_in_names=True)
    with replacing(filename) as part:
        frame.to_csv(part, index=False, encoding="utf-8-sig")


def to_excel(table: BaseSignal, filename: str | Path, length_unit: str | None = None) -> None:
    """Write a table as an Excel file: a sheet of the rows, and one of what the columns are.

    Parameters
    ----------
    table, length_unit
        As for `to_csv`.
    filename
        File to write, .xlsx. It is replaced only once the new one is whole.

    Raises
    ------
    ImportError
        If openpyxl is not installed; ``pip install particlespy-ml[excel]`` installs it.
    ValueError
        If the file's name does not end in .xlsx, or *length_unit* is no unit of length.
    """
    import pandas as pd

    path = Path(filename)
    if path.suffix.lower() != ".xlsx":
        raise ValueError(f"filename={str(filename)!r}; expected a name that ends in .xlsx.")
    try:
        import openpyxl  # noqa: F401 - pandas' own message does not name the extra
    except ImportError as error:
        raise ImportError("Excel files need openpyxl; install particlespy-ml[excel].") from error
    frame = to_dataframe(table, length_unit=length_unit, units_in_names=True)
    about = table.describe_columns()
    if length_unit is not None:
        about["unit"] = [convert(unit, length_unit)[0] for unit in about["unit"]]
    with replacing(path) as part, pd.ExcelWriter(part, engine="openpyxl") as writer:
        frame.to_excel(writer, sheet_name="rows", index=False)
        about.to_excel(writer, sheet_name="columns", index_label="column")
