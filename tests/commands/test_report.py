"""The report: one file that needs nothing beside it, and says what was made, of what and how."""

from __future__ import annotations

import re

import pytest

from particlespy_ml.cli import main


@pytest.fixture
def report(tmp_path, two_disks, series):
    two_disks.save(tmp_path / "still.hspy")
    series.save(tmp_path / "movie & more.hspy")
    (tmp_path / "bad.hspy").write_bytes(b"")
    main(["measure", str(tmp_path), "--out", str(tmp_path / "out")])
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_what_it_holds(report):
    assert "5 particles in 2 images" in report
    assert "bad.hspy" in report and "movie &amp; more" in report and "movie & more" not in report
    assert report.count("data:image/jpeg;base64,") == 3  # a histogram and two pictures
    assert "D10, D50 and D90" in report and "value (nm)" in report and "area (nm²)" in report
    assert "particlespy-ml measure" in report and "method: auto" in report and "hyperspy 2" in report
    assert "0.04 x 0.04 nm" in report


def test_it_needs_nothing_beside_it(report):
    assert not re.search(r'(src|href)="(?!data:)', report)
    assert report.startswith("<!doctype html>") and report.rstrip().endswith("</html>")
