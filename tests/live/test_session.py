"""Images one by one, as a script has them."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pandas as pd
import pytest

import particlespy_ml as pml
from particlespy_ml.live import Session
from particlespy_ml.live.results import GrowingResults, join_tables
from tests.conftest import TWO, as_image, disk_frame
from tests.live.conftest import ONE


def test_arrays_and_signals(tmp_path, two_disks):
    session = Session(tmp_path, "HAADF", model=None)
    rows = [session.add(two_disks, "still"), session.add(disk_frame(*ONE), "still", 0.04)]
    session.close()
    assert [row["image"] for row in rows] == ["still", "still-2"] and [row["particles"] for row in rows] == [2, 1]
    table = pd.read_csv(tmp_path / "particles.csv", encoding="utf-8-sig")
    assert table["image"].tolist() == ["still"] * 2 + ["still-2"] and "area (nm²)" in table
    assert (tmp_path / "particles.hspy").is_file() and (tmp_path / "still-2.png").is_file()
    with pytest.raises(ValueError, match="rows and columns"):
        session.add(np.zeros((2, 3, 4)), "stack")


def test_bright_field_has_no_model(tmp_path, model_folder):
    session = Session(tmp_path / "a", "particle_image", options={"polarity": "bright"})
    row = session.add(as_image(disk_frame(*TWO), "particle_image"), "one")
    assert row["classify"] is False and row["row_jumps"] is not None
    assert Session(tmp_path / "b", "HAADF", model=model_folder).analysis.describe()["model"]["name"] == "random"


def test_tables_in_pixels_are_left_out_by_name(two_disks):
    table = two_disks.measure_particles()
    plain = as_image(two_disks.data)
    plain.axes_manager.signal_axes.set(units="")
    joined, left_out = join_tables({"a": table, "b": plain.measure_particles(method="otsu")})
    assert joined.n_particles == table.n_particles and left_out == ["b: lengths in no unit"]
    assert join_tables({"b": plain.measure_particles(method="otsu")})[0] is None


def test_a_folder_of_results_is_taken_up_again(tmp_path, two_disks):
    session = Session(tmp_path, "HAADF", model=None)
    for name in ("007", "NA", "empty"):
        session.add(two_disks if name != "empty" else as_image(disk_frame([], [])), name)
    session.close()
    before = (tmp_path / "particles.csv").read_bytes()
    results, rests = GrowingResults(tmp_path), []
    assert results.restore({"007": "007", "NA": "NA", "lost": "lost", "empty": "empty"}) == ["lost"]
    assert (tmp_path / "particles.csv").read_bytes() == before
    assert results.columns_of_all(["label"])["image"].tolist() == ["007"] * 2 + ["NA"] * 2
    (tmp_path / "particles.hspy").unlink()
    results.write_particles(rest=rests.append)
    assert len(rests) == 3 and min(rests) > 0 and (tmp_path / "particles.hspy").is_file()


def test_tables_of_other_columns_are_one(tmp_path, two_disks):
    session = Session(tmp_path, "HAADF", model=None)
    session.add(two_disks, "one")
    session.add(two_disks, "two")
    session.close()
    table = pd.read_csv(tmp_path / "two.csv", encoding="utf-8-sig")
    changed = table.assign(added=[3, 4]).drop(columns="area (nm²)").to_csv(index=False)
    (tmp_path / "two.csv").write_text(changed.rstrip(), encoding="utf-8-sig")
    results = GrowingResults(tmp_path)
    results.restore({"one": "one", "two": "two"})
    both = pd.read_csv(tmp_path / "particles.csv", encoding="utf-8-sig")
    assert results.columns_of_all(["added", "other"]).equals(both[["image", "added"]])
    assert both["added"].tolist()[2:] == [3, 4] and both["added"].isna().tolist() == [True, True, False, False]
    assert (
        both["area (nm²)"].isna().tolist() == [False, False, True, True] and len(both.columns) == len(table.columns) + 1
    )


def test_a_damaged_table_is_left_to_the_next_write(tmp_path, two_disks):
    session = Session(tmp_path, "HAADF", model=None)
    session.add(two_disks, "one")
    session.add(two_disks, "two")
    session.close()
    whole = (tmp_path / "two.hspy").read_bytes()
    (tmp_path / "two.hspy").write_bytes(whole[: len(whole) // 2])
    results, rests = GrowingResults(tmp_path), []
    results.restore({"one": "one", "two": "two"})
    with pytest.raises(Exception, match=r".+"):
        results.write_particles(rest=rests.append)
    (tmp_path / "two.hspy").write_bytes(whole)
    results.write_particles(rest=rests.append)
    assert len(rests) == 2  # each was read once


def test_a_mask_holds_for_what_is_measured_too(tmp_path):
    """Particles are found once and measured where the mask is, as by `measure_particles` with it."""
    image = pml.data.gold_on_carbon()
    mask = np.ones(image.data.shape, bool)
    mask[:86] = False
    wanted = image.measure_particles(mask=mask)
    row = Session(tmp_path / "a", "HAADF", model=None, mask=mask).add(image.deepcopy(), "a")
    found = hs.load(tmp_path / "a" / "a.hspy")
    for name in ("x", "intensity", "touches_border"):
        np.testing.assert_array_equal(found[name], wanted[name])
    assert wanted["touches_border"].any()
    assert row["mean_diameter"] == pytest.approx(float(wanted.summary()["mean_diameter"].iloc[0]))
    dark = image.deepcopy()
    dark.change_dtype("float32")
    dark.data[~mask] = np.nan
    assert Session(tmp_path / "b", "HAADF", model=None, mask=mask).add(dark, "b")["particles"] == wanted.n_particles
