"""Labels that are corrected by methods: what is measured then, what is kept, and images and labels of any kind."""

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.plotting.label_editor import LabelEditor

pytestmark = pytest.mark.usefixtures("small_figures")
PIXEL = 0.04  # nm


@pytest.fixture
def editor(two_disks):
    """An editor of two particles: 1 at (1.6, 1.6) of radius 0.56 nm, 2 at (4.4, 3.2) of radius 0.8 nm."""
    return two_disks.edit_labels()


def areas(labels):
    data = np.asarray(labels.data)
    return {int(number): int((data == number).sum()) for number in np.unique(data[data > 0])}


def square(x, y, half):
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


# --- methods ---


def test_what_methods_do_is_measured(two_disks, editor):
    assert isinstance(editor, LabelEditor) and editor.numbers == [1, 2]
    assert editor.split(2, [(4.4, 0), (4.4, 5)]) == [2, 3]
    assert editor.paint(square(1, 4, 0.4)) == 4
    editor.erase(square(1.6, 1.0, 0.3), number=1)
    table = two_disks.measure_particles(editor.labels)
    assert table["label"].tolist() == [1, 2, 3, 4]
    before = two_disks.measure_particles(two_disks.segment_particles())
    assert table["area"][1:3].sum() == pytest.approx(before["area"][1])
    assert table["area"][3] == pytest.approx(0.64, rel=0.12)  # 21 pixels wide, those on the outline included
    assert (table["x"][3], table["y"][3]) == pytest.approx((1, 4), abs=PIXEL)
    assert table["area"][0] < before["area"][0] - 0.1 and table["y"][0] > before["y"][0]


def test_numbers_stay_and_are_not_given_again(editor):
    editor.paint(square(1, 4, 0.3))
    editor.paint(square(2, 4, 0.3))
    editor.delete(3)
    assert editor.numbers == [1, 2, 4]
    editor.delete(4)
    assert editor.paint(square(2, 4, 0.3)) == 5
    editor.undo()
    assert editor.paint(square(2, 4, 0.3)) == 5  # what was undone never was
    assert editor.merge(5, 2) == 2
    assert editor.numbers == [1, 2]
    assert editor.paint(square(1, 4, 0.3), number=9) == 9
    assert editor.paint(square(5.5, 0.6, 0.3)) == 10


def test_what_is_selected_is_meant(editor):
    editor.select(2, 1)
    assert editor.merge() == 1 and editor.selected == [1]
    editor.undo()
    assert editor.selected == [2, 1]
    editor.delete()
    assert editor.numbers == [] and editor.selected == []
    with pytest.raises(ValueError, match="none is given or selected"):
        editor.delete()


def test_undo_and_redo(editor):
    states = [editor.frame_labels]
    editor.split(2, [(4.4, 0), (4.4, 5)])
    states.append(editor.frame_labels)
    editor.paint([(1, 4), (3, 4)], radius="4 px")
    states.append(editor.frame_labels)
    editor.merge(1, 3)
    states.append(editor.frame_labels)
    for state in states[-2::-1]:
        editor.undo()
        np.testing.assert_array_equal(editor.frame_labels, state)
    assert editor.changes == []
    editor.undo()
    for state in states[1:]:
        editor.redo()
        np.testing.assert_array_equal(editor.frame_labels, state)
    editor.redo()
    assert [change["action"] for change in editor.changes] == ["split", "paint", "merge"]
    editor.undo()
    editor.delete(2)
    editor.redo()  # what was undone is gone once something else is done
    assert [change["action"] for change in editor.changes] == ["split", "paint", "delete"]


def test_changes_are_plain_and_can_be_done_again(two_disks, editor):
    line = np.array([(4.4, 0), (4.4, 5)])
    editor.split(np.int64(2), line)
    editor.split_at(1, [(1.4, 1.6), (1.8, 1.6)])
    editor.paint(square(1, 4, 0.4))
    editor.paint([(1, 4), (2, 4)], 0.1, 5)
    editor.erase([(1, 4)], "2 px")
    editor.merge(1, 2)
    editor.delete(3)
    changes = editor.changes
    assert changes[0] == {"action": "split", "frame": 0, "number": 2, "line": line.tolist(), "new": [3]}
    assert changes[3] == {"action": "paint", "frame": 0, "points": [[1, 4], [2, 4]], "radius": 0.1, "number": 5}
    assert changes[5] == {"action": "merge", "frame": 0, "numbers": [1, 2]}
    assert eval(repr(changes)) == changes
    again = two_disks.edit_labels()
    again.repeat(changes)
    again.repeat([{"action": "delete", "frame": 7, "numbers": [1]}])
    np.testing.assert_array_equal(again.frame_labels, editor.frame_labels)
    assert again.changes == changes
    changes.clear()
    assert len(editor.changes) == 7
    with pytest.raises(ValueError, match="Unknown action 'show'; expected one of delete, merge"):
        again.repeat([{"action": "show", "frame": 0}])


def test_what_changes_nothing_is_no_change(editor):
    editor.erase(square(1, 4, 0.3))
    assert editor.changes == [] and "changes nothing" in editor._view._status.get_text()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda e: e.delete(7), ValueError, "no particle 7; the particles are: 1, 2"),
        (lambda e: e.delete(1.5), TypeError, "whole number, not 1.5"),
        (lambda e: e.merge(1), ValueError, "two particles or more"),
        (lambda e: e.select(7), ValueError, r"no particle 7; the particles are: \[1, 2\]"),
        (lambda e: e.split(2, [(0, 0), (1, 0)]), ValueError, "does not part the particle 2"),
        (lambda e: e.split(2, [1, 2, 3]), ValueError, r"positions \(x, y\) of the shape \(points, 2\), not \(3,\)"),
        (lambda e: e.split_at(2, [(0, 0), (1, 0)]), ValueError, "inside of the particle 2"),
        (lambda e: e.split(2, [(500, 0), (500, 1)]), ValueError, r"part the particle 2; .* Of 2 .* 2 lie outside"),
        (lambda e: e.split_at(2, [(500, 0), (1, 0)]), ValueError, r"Of 2 positions \(x, y\) 1 lie outside.*\(500, 0\)"),
        (lambda e: e.paint([(500, 0)] * 9, 0.1), ValueError, r"9 lie outside.*…; it reaches from"),
        (lambda e: e.paint(square(400, 0, 1)), ValueError, "enclose no pixel of the frame"),
        (lambda e: e.paint([(1, 1)], -1), ValueError, "more than 0 nm"),
        (lambda e: e.paint([(1, 1)], "3 furlongs"), ValueError, "unit 'furlongs' is unknown"),
        (lambda e: e.paint([(1, 1)], 1, 0), ValueError, "erase"),
        (lambda e: e.erase([(1, 1)], 1, 7), ValueError, "no particle 7"),
        (lambda e: e._view.set_mode("cut"), ValueError, "expected one of select, split"),
    ],
)
def test_what_is_refused_changes_nothing(editor, call, error, message):
    before = editor.frame_labels
    with pytest.raises(error, match=message):
        call(editor)
    np.testing.assert_array_equal(editor.frame_labels, before)
    assert editor.changes == []


def test_a_particle_in_pieces_is_measured_as_one(series, tmp_path):
    editor = series.edit_labels(index=0)
    editor.merge(1, 2)
    editor.labels.save(tmp_path / "labels.hspy")
    for labels in (editor.labels, editor.labels.as_lazy(), hs.load(tmp_path / "labels.hspy", lazy=True)):
        table = series.measure_particles(labels)
        table.compute()
        assert [rows["label"].tolist() for rows in table.data] == [[1], [], [1]]
    assert editor.split(1) == [1, 3]
    assert series.measure_particles(editor.labels > 0)["label"].tolist() == [1, 2, 1]  # a mask is one as before
    assert series.edit_labels(editor.labels > 0, 0).numbers == [1, 2]


# --- images and labels of any kind ---


def test_a_series_changes_in_one_frame(grid):
    labels = grid.segment_particles()
    given = labels.data.copy()
    for index, number, place in (((1, 0), 1, (0, 1)), ((0, 1), 2, (1, 0)), (3, 3, (1, 1)), (-1, 3, (1, 1))):
        editor = grid.edit_labels(labels, index)
        np.testing.assert_array_equal(editor._view.ax.images[0].get_array(), grid.data[place])
        editor.paint(square(1, 4, 0.4))
        found = editor.labels
        assert editor.changes[0]["frame"] == number
        changed = np.argwhere((found.data != given).any((-2, -1)))
        assert changed.tolist() == [list(place)]
        assert [a.name for a in found.axes_manager._axes] == [a.name for a in labels.axes_manager._axes]
        table, before = grid.measure_particles(found), grid.measure_particles(labels)
        assert len(table.data[place]) == len(before.data[place]) + 1
    np.testing.assert_array_equal(labels.data, given)
    assert not labels.metadata.has_item("particlespy_ml.edits")


def test_the_current_frame_and_frames_that_are_not_there(series):
    series.axes_manager.indices = (2,)
    assert repr(series.edit_labels()) == "<LabelEditor, frame 2: 1 particles, 0 changes>"
    assert series.edit_labels(index=1).numbers == []
    for index in (3, (0, 0), -4):
        with pytest.raises(ValueError, match=r"navigation shape \(3,\) was asked for; expected one index"):
            series.edit_labels(index=index)


def test_frames_are_edited_one_after_another(series, tmp_path):
    first = series.edit_labels(index=0)
    first.delete(1)
    second = series.edit_labels(first.labels, 2)
    second.paint(square(1, 4, 0.4))
    labels = second.labels
    edits = labels.metadata.particlespy_ml.edits
    assert [(edit["action"], edit["frame"]) for edit in edits] == [("delete", 0), ("paint", 2)]
    assert [len(rows) for rows in series.measure_particles(labels).data] == [1, 0, 2]
    third = series.edit_labels(labels, 2)
    third.delete(2)
    assert third.paint(square(1, 4, 0.4)) == 3
    assert labels.metadata.particlespy_ml.segmentation.method == "auto"


@pytest.mark.parametrize("suffix", ["hspy", "zspy"])
def test_labels_are_saved_with_what_was_done(series, tmp_path, suffix):
    editor = series.edit_labels(index=0)
    editor.split(2, [(4.4, 0), (4.4, 5)])
    editor.paint([(1, 4)], 0.2)
    editor.merge(1, 4)
    labels = editor.labels
    labels.save(tmp_path / f"labels.{suffix}")
    loaded = hs.load(tmp_path / f"labels.{suffix}")
    np.testing.assert_array_equal(loaded.data, labels.data)
    assert loaded.data.dtype == np.int32
    again = series.edit_labels(index=0)
    again.repeat(loaded.metadata.particlespy_ml.edits)
    np.testing.assert_array_equal(again.labels.data, labels.data)
    assert series.edit_labels(loaded, 0).paint([(1, 1)], 0.1) == 5


def test_lazy_images_stay_lazy(grid):
    read = []
    frames = da.from_array(grid.data, chunks=(1, 1, 128, 160))
    image = grid.as_lazy()
    image.data = frames.map_blocks(lambda b: read.append(b.shape) or b, dtype=frames.dtype, meta=frames._meta)
    editor = image.edit_labels(index=(0, 1))
    assert len(read) == 5  # the frame, to be segmented and to be shown, and three that speak for the series
    editor.paint(square(1, 4, 0.4))
    labels = editor.labels
    assert labels._lazy and len(read) == 5
    table = image.measure_particles(labels)
    assert table._lazy
    table.compute()
    eager = grid.edit_labels(index=(0, 1))
    eager.paint(square(1, 4, 0.4))
    np.testing.assert_array_equal(eager.labels.data, labels.data.compute())
    assert not eager.labels._lazy
    assert [len(rows) for rows in table.data.ravel()] == [2, 0, 2, 2]


@pytest.mark.parametrize("chunks", [(2, 2, 128, 160), (1, 2, 50, 160)])
def test_lazy_labels_in_any_chunks(grid, chunks):
    labels = grid.segment_particles()
    lazy = labels.as_lazy()
    lazy.data = lazy.data.rechunk(chunks)
    editor = grid.edit_labels(lazy, (0, 1))
    editor.delete(1)
    assert editor.labels._lazy
    expected = labels.data.copy()
    expected[1, 0] = 0
    np.testing.assert_array_equal(editor.labels.data.compute(), expected)


@pytest.mark.parametrize("slices", [np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]])
def test_axes_that_run_backwards(two_disks, slices):
    two_disks.axes_manager.signal_axes.set(offset=-3.0)
    tables = []
    for image in (two_disks, two_disks.isig[slices]):
        editor = image.edit_labels()
        number = editor.number_at(1.4, 0.2)  # the larger one
        assert number and editor.number_at(-2.9, -2.9) == 0 and editor.number_at(99, 99) == 0
        editor.split(number, [(1.4, -3), (1.4, 3)])
        editor.paint(square(-2, 1, 0.4))
        editor.erase([(-1.4, -2), (-1.4, 0)], 0.1)
        rows = image.measure_particles(editor.labels).data[0]
        tables.append(rows[np.argsort(rows["x"])])
    assert len(tables[0]) == 4
    for name in ("x", "y", "area"):
        np.testing.assert_allclose(tables[1][name], tables[0][name], rtol=1e-9)


def test_labels_of_ones_own(series):
    mask = np.asarray(series.data) > 2.5
    for given in (mask, mask.astype(np.uint8) * 255, hs.signals.Signal2D(mask)):
        editor = series.edit_labels(given, 0)
        assert editor.numbers == [1, 2]
    one = np.zeros((128, 160), np.uint16)
    one[3:9, 3:9], one[50:60, 50:60] = 4, 70
    editor = series.edit_labels(one, 1)
    editor.delete(4)
    assert [areas(frame) for frame in editor.labels] == [{4: 36, 70: 100}, {70: 100}, {4: 36, 70: 100}]
    with pytest.raises(ValueError, match=r"labels of the shape \(3, 128, 160\)"):
        series.edit_labels(one[:5])
    with pytest.raises(ValueError, match=r"labels of the shape \(3, 128, 160\), not \(2, 128, 160\)"):
        series.edit_labels(series.segment_particles().inav[:2])


def test_images_without_a_unit_of_length(two_disks):
    labels = two_disks.segment_particles()
    two_disks.axes_manager.signal_axes.set(units="", scale=1)
    editor = two_disks.edit_labels(labels)
    assert editor.split(2, [(110, 0), (110, 120)]) == [2, 3]


def test_the_package_offers_it(two_disks):
    editor = pml.edit_labels(two_disks, radius="5 px")
    assert editor.radius == pytest.approx(5 * PIXEL)
