"""Tables for other programs: units in the names of columns, other units of length, CSV and Excel files."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table(series):
    return series.measure_particles(np.asarray(series.data) > 2.5)


def test_units_in_names_and_another_unit_of_length(table):
    plain = table.to_dataframe()
    frame = table.to_dataframe(length_unit="Å", units_in_names=True)
    np.testing.assert_allclose(frame["area (Å²)"], 100 * plain["area"], rtol=1e-12)
    np.testing.assert_allclose(frame["x (Å)"], 10 * plain["x"], rtol=1e-12)
    np.testing.assert_array_equal(frame["orientation (°)"], plain["orientation"])
    np.testing.assert_array_equal(frame["time (s)"], plain["time"])
    assert "solidity" in frame and frame.attrs["units"]["area (Å²)"] == "Å²"
    assert table.to_dataframe(length_unit="nm").equals(plain)
    assert table.units["area"] == "nm²"


def test_outlines_in_another_unit(table):
    outline = table.to_dataframe(outline=True, length_unit="pm")["outline"]
    np.testing.assert_allclose(outline[1], 1000 * table["outline"][1], rtol=1e-12)


@pytest.mark.parametrize("unit", ["px", "", "s"])
def test_no_unit_of_length(table, unit, tmp_path):
    with pytest.raises(ValueError, match="length_unit=.*expected one of pm"):
        table.to_csv(tmp_path / "table.csv", length_unit=unit)
    assert not list(tmp_path.iterdir())


def test_csv(table, tmp_path):
    table.to_csv(tmp_path / "table.csv", length_unit="nm")
    read = pd.read_csv(tmp_path / "table.csv", encoding="utf-8-sig")
    wanted = table.to_dataframe(length_unit="nm", units_in_names=True)
    assert list(read.columns) == list(wanted.columns)
    np.testing.assert_allclose(read["area (nm²)"], wanted["area (nm²)"], rtol=1e-12)
    assert (tmp_path / "table.csv").read_bytes()[:3] == b"\xef\xbb\xbf"  # or Excel reads ² and Å as something else


def test_csv_of_columns_and_of_no_rows(table, tmp_path):
    import particlespy_ml as pml

    columns = pml.data.columns_of_platinum().isig[:120, :120].find_columns(show_progressbar=False)
    columns.to_csv(tmp_path / "columns.csv")
    assert {"x (nm)", "volume (nm²)"} <= set(pd.read_csv(tmp_path / "columns.csv", encoding="utf-8-sig"))
    table.select("area < 0").to_csv(tmp_path / "none.csv")
    assert len(pd.read_csv(tmp_path / "none.csv", encoding="utf-8-sig")) == 0


def test_lazy_tables_are_computed(series, tmp_path):
    series.as_lazy().measure_particles().to_csv(tmp_path / "table.csv")
    assert len(pd.read_csv(tmp_path / "table.csv")) == series.measure_particles().n_particles


def test_excel(table, tmp_path):
    table.to_excel(tmp_path / "table.xlsx", length_unit="Å")
    sheets = pd.read_excel(tmp_path / "table.xlsx", sheet_name=None)
    assert sheets["rows"].shape == table.to_dataframe().shape
    np.testing.assert_allclose(sheets["rows"]["area (Å²)"], 100 * table["area"], rtol=1e-12)
    assert sheets["columns"].set_index("column").loc["area", "unit"] == "Å²"
    with pytest.raises(ValueError, match="xlsx"):
        table.to_excel(tmp_path / "table.xls")


def test_excel_without_its_library(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"particlespy-ml\[excel\]"):
        table.to_excel(tmp_path / "table.xlsx")
    assert not list(tmp_path.iterdir())
