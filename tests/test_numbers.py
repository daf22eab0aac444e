"""Numbers in the pages are those of the cards and of the records of benchmarks."""

import json
import re
from pathlib import Path

import pytest

from docs.site import numbers

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "benchmarks" / "records").glob("*.json"))


def test_pages_say_what_was_measured():
    assert not numbers.wrong(), "\n".join(numbers.wrong())


def test_many_numbers_are_compared():
    compared = [name for one in numbers.statements() for name in one.numbers]
    assert len(compared) > 100
    assert {name.split("/")[0] for name in compared} >= {"isomer-haadf", "isomer-atlas", "particles-hrtem", "records"}


def test_a_number_that_changed_is_told(monkeypatch):
    known = numbers.number
    monkeypatch.setattr(
        numbers, "number", lambda name: known(name) + 0.1 if name.endswith("/300/accuracy") else known(name)
    )
    told = numbers.wrong()
    assert told and all("should say" in line for line in told)
    assert {line.split()[0] for line in told} == {"README.md", "docs/results.md", "docs/isomers.md"}


@pytest.mark.parametrize(
    "name", ["isomer-haadf/evaluation/7/accuracy", "isomer-haadf/windows/99", "isomer-haadf/name/x"]
)
def test_a_number_that_is_not_there_is_an_error(name):
    with pytest.raises(KeyError, match="there is no"):
        numbers.number(name)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_records_say_when_and_with_what(path):
    for part, record in json.loads(path.read_text(encoding="utf-8")).items():
        assert set(record) == {"command", "date", "versions", "results"}
        assert record["command"].startswith(f"python -m benchmarks.{path.stem} --parts {part}")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])
        assert {"python", "numpy", "particlespy-ml"} <= set(record["versions"])
    assert path.stat().st_size < 2e4


def test_a_part_is_written_beside_others(tmp_path):
    from benchmarks.records import save

    save("strain", "field", {"error": {12.0: 1.23456e-7}}, folder=tmp_path)
    path = save("strain", "bound", {"ratios": [0.99999, 2]}, "--draws 3", tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["field"]["results"] == {"error": {"12.0": 1.235e-7}}
    assert record["bound"]["results"] == {"ratios": [1.0, 2.0]}
    assert record["bound"]["command"] == "python -m benchmarks.strain --parts bound --draws 3"
