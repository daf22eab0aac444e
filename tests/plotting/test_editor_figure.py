"""The figure of a label editor: what it shows, and what mouse and keys do."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent

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


# --- mouse and keys ---


def mouse(editor, name, x, y, **keywords):
    ax = editor._view.ax
    place = ax.transData.transform((x, y))
    MouseEvent(f"{name}_event", ax.figure.canvas, *place, **{"button": 1, **keywords})._process()


def drag(editor, *points):
    mouse(editor, "button_press", *points[0])
    for point in points[1:]:
        mouse(editor, "motion_notify", *point)
    mouse(editor, "button_release", *points[-1])


def key(editor, *keys):
    for name in keys:
        KeyEvent("key_press_event", editor.figure.canvas, name)._process()


ONE, TWO, NOWHERE = (1.6, 1.6), (4.4, 3.2), (1, 4)


def test_clicks_select(editor):
    for place, modifiers, expected in (
        (ONE, (), [1]),
        (TWO, (), [2]),
        (ONE, ("shift",), [2, 1]),
        (TWO, ("shift",), [1]),
        (NOWHERE, ("shift",), [1]),
        (NOWHERE, (), []),
    ):
        mouse(editor, "button_press", *place, modifiers=modifiers)
        mouse(editor, "button_release", *place)
        assert editor.selected == expected
    mouse(editor, "button_press", *ONE, button=3)
    mouse(editor, "button_press", *ONE, dblclick=True)
    assert editor.selected == []


def test_keys_delete_merge_and_undo(editor):
    mouse(editor, "button_press", *ONE)
    key(editor, "d")
    assert editor.numbers == [2]
    key(editor, "ctrl+z")
    mouse(editor, "button_press", *TWO, modifiers=["shift"])
    key(editor, "m")
    assert editor.numbers == [1]
    key(editor, "u", "r", "u", "x", "q")
    assert editor.numbers == [1, 2] and plt.get_fignums()
    key(editor, "v", "m")
    assert editor.numbers == [1]
    key(editor, "m")
    assert "two particles or more" in editor._view._status.get_text()


def test_a_line_splits(editor):
    key(editor, "s")
    drag(editor, (4.4, 2.1), (4.1, 3), (4.4, 4.6))
    assert editor.numbers == [1, 2, 3] and editor.selected == [2, 3]
    (change,) = editor.changes
    np.testing.assert_allclose(change["line"], [(4.4, 2.1), (4.4, 4.6)], atol=PIXEL)
    drag(editor, (0.2, 4), (0.8, 4))
    assert "crosses no particle" in editor._view._status.get_text()
    drag(editor, ONE, (1.6, 3))
    assert "does not part the particle 1" in editor._view._status.get_text()
    drag(editor, ONE, ONE)
    assert len(editor.changes) == 1


def test_an_outline_and_the_brush(editor):
    key(editor, "p")
    drag(editor, *square(1, 4, 0.4))
    assert areas(editor.labels)[3] == pytest.approx(400, rel=0.06)
    key(editor, "a", "]", "]")
    assert editor.radius == pytest.approx(1.25**2 * 2 * PIXEL)
    drag(editor, (1, 4), (2, 4))
    assert areas(editor.labels)[3] > 430 and editor.changes[-1]["number"] == 3
    key(editor, "e", "[")
    drag(editor, (0.4, 4), (3, 4))
    drag(editor, ONE, (1.7, 1.6))  # the one that is selected alone is erased
    assert areas(editor.labels)[3] < 400 and editor.changes[-1]["action"] == "erase"
    assert len(editor.changes) == 3
    editor.select()
    drag(editor, ONE, (1.7, 1.6))
    assert len(editor.changes) == 4 and "number" not in editor.changes[-1]
    key(editor, "a")
    drag(editor, NOWHERE, (2, 4))
    assert "begin on one" in editor._view._status.get_text()
    again = LabelEditor(editor._image, editor._view.image_grid, editor._source, (), 0)
    again.repeat(editor.changes)
    np.testing.assert_array_equal(again.frame_labels, editor.frame_labels)


def test_a_stroke_that_is_given_up(editor):
    key(editor, "p")
    mouse(editor, "button_press", 1, 4)
    mouse(editor, "motion_notify", 2, 4)
    key(editor, "escape")
    mouse(editor, "motion_notify", 2, 4.5)
    mouse(editor, "button_release", 1, 4.5)
    assert editor.changes == [] and editor._view.mode == "paint"
    key(editor, "escape")
    assert editor._view.mode == "select"


def test_buttons(editor):
    def press(ax, place=(0.5, 0.5)):
        x, y = ax.transAxes.transform(place)
        for name in ("button_press_event", "button_release_event"):
            MouseEvent(name, ax.figure.canvas, x, y, button=1)._process()

    view = editor._view
    mouse(editor, "button_press", *ONE)
    press(view._buttons["delete"].ax)
    assert editor.numbers == [2]
    press(view._buttons["undo"].ax)
    assert editor.numbers == [1, 2]
    press(view._buttons["redo"].ax)
    press(view._buttons["merge"].ax)
    assert "none is given or selected" in view._status.get_text()
    view.figure.canvas.draw()
    label = view._modes.labels[1].get_window_extent()
    press(view._modes.ax, view._modes.ax.transAxes.inverted().transform(label.get_points().mean(0)))
    assert view.mode == "split"
    drag(editor, (4.4, 2.1), (4.4, 4.6))
    assert editor.numbers == [2, 3]


def test_the_toolbar_has_the_mouse_while_it_zooms(editor):
    lock, other = editor.figure.canvas.widgetlock, object()
    lock(other)
    mouse(editor, "button_press", *ONE)
    assert editor.selected == []
    lock.release(other)
    mouse(editor, "button_press", *ONE)
    assert editor.selected == [1]


def test_a_figure_without_blitting(editor, monkeypatch):
    monkeypatch.setattr(type(editor.figure.canvas), "supports_blit", False)
    key(editor, "s")
    drag(editor, (4.4, 2.1), (4.4, 4.6))
    assert editor.numbers == [1, 2, 3]


# --- the figure ---


def texts(editor):
    return [text.get_text() for text in editor._view.ax.texts if text.get_text().isdigit()]


def test_the_figure_shows_what_there_is(editor):
    view = editor._view
    for edit, shown in (
        (lambda: editor.split(2, [(4.4, 0), (4.4, 5)]), ["1", "2", "3"]),
        (lambda: editor.delete(1), ["2", "3"]),
        (lambda: editor.undo(), ["1", "2", "3"]),
        (lambda: editor.merge(1, 2, 3), ["1", "1"]),
    ):
        edit()
        view.figure.canvas.draw()
        assert sorted(texts(editor)) == shown and len(view._outlines.get_paths()) == len(set(shown))
    (path,) = view._outlines.get_paths()
    assert path.contains_point(ONE) and path.contains_point(TWO) and not path.contains_point(NOWHERE)
    assert "1 particle  ·  selected: 1" in view._status.get_text()


def test_a_backend_that_hears_nothing_says_so_and_others_what_to_do(editor, monkeypatch):
    assert r"%matplotlib widget (pip install ipympl)" in editor._view._help.get_text()
    monkeypatch.setattr(plt, "get_backend", lambda: "module://ipympl.backend_nbagg")
    editor.select()
    assert editor._view._help.get_text().startswith("Click a particle")


def test_nothing_is_lost_with_the_figure(editor):
    editor.delete(1)
    closed = editor.figure
    assert editor.show() is closed
    plt.close(closed)
    editor.paint(square(1, 4, 0.4))
    assert editor.numbers == [2, 3] and sorted(texts(editor)) == ["2", "3"] and plt.get_fignums() == []
    assert editor.show() is not closed and plt.get_fignums()
    editor.undo()
    assert texts(editor) == ["2"]


@pytest.mark.parametrize("kind", ["empty", "constant", "not finite", "many", "narrow"])
def test_any_frame_can_be_shown(make_image, kind):
    rng = np.random.default_rng(0)
    data = rng.normal(10, 1, (40, 60)) if kind != "narrow" else rng.normal(10, 1, (4, 200))
    labels = np.zeros(data.shape, np.int32)
    if kind == "many":
        labels[::2, ::2] = np.arange(1, 601).reshape(20, 30)
    labels_signal = make_image(data).segment_particles(labels=labels)
    if kind == "constant":
        data[:] = 1
    if kind == "not finite":
        data[3:5] = np.nan
    editor = make_image(data).edit_labels(labels_signal)
    assert editor.paint([(0.08, 0.08)], 0.1) == labels.max() + 1
    editor.figure.canvas.draw()
    visible = [text for text in editor._view.ax.texts if text.get_text().isdigit() and text.get_visible()]
    assert len(visible) == (0 if kind == "many" else 1)
