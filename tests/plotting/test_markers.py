"""Outlines and labels on an image that HyperSpy shows: whatever they say, and when something fails."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hyperspy.drawing.markers import Markers
from matplotlib.colors import to_hex

import particlespy_ml as pml
from particlespy_ml.plotting.colours import NO_VALUE, UNDEFINED_COLOUR
from particlespy_ml.tables.dataframe import with_column

pytestmark = pytest.mark.usefixtures("small_figures")


@pytest.fixture
def table(series, add_classes):
    """Two, no and one particle; the last is undefined, and one has a number that is not finite."""
    table = add_classes(series.measure_particles(np.asarray(series.data) > 2.5), ("icosahedron", "$x_{$"))
    parts = [np.array(["first", " "]), np.array([], str), np.array(["a $b^"])]
    table = with_column(table, "note", parts, "U8", "")
    return with_column(table, "size", [np.array([np.nan, 2.22222]), [], [1e7]], "f8", "nm")


def walk(image):
    """Draw every frame of an image that is shown, forwards and backwards, and return the texts of each."""
    found = []
    for index in (0, 1, 2, 1):
        image.axes_manager.indices = (index,)
        image._plot.signal_plot.figure.canvas.draw()
        found.append([str(t) for m in image._plot.signal_plot.ax_markers[1:] for t in m._collection._texts])
    assert found[3] == found[1]
    return found[:3]


@pytest.mark.parametrize("undefined", ["some", "all"])
def test_what_the_readme_shows(undefined):
    s = pml.data.gold_on_carbon().as_lazy()
    table = s.classify_particles()
    table.compute()
    (rows,) = table.data.ravel()
    rows["class_index"][slice(None) if undefined == "all" else slice(1)] = -1
    assert len(table.to_dataframe()) == len(rows) > 1
    for _ in range(2):
        s.plot_particles(table)
        s._plot.signal_plot.figure.canvas.draw()
        polygons, *texts = s._plot.signal_plot.ax_markers
        assert len(texts) == (undefined == "some")
        assert sum(len(marker._collection._texts) for marker in texts) == np.sum(rows["class_index"] >= 0)
        colours = [to_hex(colour).upper() for colour in polygons._collection.get_edgecolor()]
        assert len(colours) == len(rows) and colours[0] == UNDEFINED_COLOUR


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("auto", [["icosahedron 75 %", r"\$x_{\$ 75 %"], [], []]),
        ("class", [["icosahedron", r"\$x_{\$"], [], ["undefined"]]),
        ("size", [[NO_VALUE, "2.22"], [], ["1e+07"]]),
        ("touches_border", [["False", "False"], [], ["False"]]),
        ("note", [["first"], [], [r"a \$b^"]]),
        ("class_index", [["0", "1"], [], ["-1"]]),
        (None, [[], [], []]),
    ],
)
def test_any_column_is_written_in_every_frame(series, table, label, expected):
    series.plot_particles(table, label)
    found = walk(series)
    assert found == expected


def test_columns_that_cannot_be_written(series, table, two_disks):
    for label in ("colour", "outline"):
        with pytest.raises(ValueError, match=f"no column '{label}' to write; expected one of label, x"):
            series.plot_particles(table, label)
    empty = two_disks.measure_particles(np.zeros((128, 160), int))
    with pytest.raises(ValueError, match="no column 'colour'"):
        two_disks.plot_particles(empty, "colour")
    assert plt.get_fignums() == [] and series._plot is None


def test_what_cannot_be_drawn_leaves_an_earlier_plot_alone(series, table):
    series.plot_particles(table)
    shown = series._plot.signal_plot.ax_markers[:]
    with pytest.raises(ValueError, match="no column"):
        series.plot_particles(table, "colour")
    assert series._plot.signal_plot.ax_markers == shown
    walk(series)


@pytest.mark.parametrize("fails", [0, 1, "cmap"])
def test_a_call_that_fails_leaves_nothing_behind(series, table, fails, monkeypatch):
    other = plt.figure()
    made = []
    original = Markers._initialize_collection

    def initialize(self):
        made.append(self)
        if len(made) - 1 == fails:
            raise RuntimeError("no collection")
        original(self)

    with monkeypatch.context() as patch, pytest.raises((RuntimeError, ValueError), match="no collection|no colours"):
        patch.setattr(Markers, "_initialize_collection", initialize)
        series.plot_particles(table, **({"cmap": "no colours"} if fails == "cmap" else {}))
    assert series._plot is None and plt.get_fignums() == [other.number]
    series.axes_manager.indices = (2,)
    series.plot_particles(table)
    assert len(walk(series)[0]) == 2


def test_a_second_call_replaces_the_first(series, table):
    for label in ("auto", "note", None, "auto"):
        series.plot_particles(table, label)
    walk(series)
    assert len(series._plot.signal_plot.ax_markers) == len(series._plot.signal_plot.ax.collections) == 2
    assert len(plt.get_fignums()) == 2  # image and navigator


def test_a_plot_that_was_broken_before_is_replaced(series, table):
    """As by markers that were added by hand and failed."""
    series.plot()
    broken, *_ = table.to_markers()
    series._plot.signal_plot.add_marker(broken)  # without its collection
    series.plot_particles(table)
    walk(series)


def test_parts_are_plotted_and_saved_afterwards(series, table, tmp_path):
    series.plot_particles(table)
    walk(series)
    for part in (series.inav[1:], series.inav[2], series.sum()):
        part.plot()
    series.save(tmp_path / "series.hspy")
    assert not series.metadata.has_item("Markers")


def test_markers_by_hand_of_an_image_without_particles(two_disks):
    markers = two_disks.measure_particles(np.zeros((128, 160), int)).to_markers()
    assert len(markers) == 1
    two_disks.plot()
    two_disks.add_marker(markers)
    two_disks._plot.signal_plot.figure.canvas.draw()


@pytest.mark.parametrize(
    ("offset", "flip", "dtype"),
    [
        (0.0, np.s_[:, :], bool),
        (300.0, np.s_[::-1, :], np.uint8),
        (-1e4, np.s_[:, ::-1], np.float32),
        (1e4, np.s_[::-1, ::-1], float),
    ],
)
def test_outlines_and_labels_lie_on_the_particles(make_frame, make_image, offset, flip, dtype):
    labels = make_frame([(15, 20), (44, 52)], [8, 11], shape=(60, 80)) > 2.5
    image = make_image(labels.astype(dtype))
    x, y = image.axes_manager.signal_axes
    x.scale, y.scale, x.offset, y.offset = 0.05, 0.03, offset, -offset
    image = image.isig[flip]
    x, y = image.axes_manager.signal_axes
    table = image.measure_particles(np.asarray(image.data) > 0)
    image.plot_particles(table)
    polygons, texts = image._plot.signal_plot.ax_markers
    for outline in polygons.get_current_kwargs()["verts"]:
        centre = outline.mean(0)
        for part, inside in ((0.85, True), (1.15, False)):
            places = centre + part * (outline - centre)
            columns = np.rint((places[:, 0] - x.offset) / x.scale).astype(int)
            rows = np.rint((places[:, 1] - y.offset) / y.scale).astype(int)
            assert (np.asarray(image.data)[rows, columns] > 0).mean() == pytest.approx(float(inside), abs=0.06)
    canvas = image._plot.signal_plot.figure.canvas
    canvas.draw()
    transform = image._plot.signal_plot.ax.transData.transform
    for outline, anchor in zip(table["outline"], texts.get_current_kwargs()["offsets"], strict=True):
        upper = transform(outline.astype(float))[:, 1].max()  # in pixels of the screen, from below
        assert transform(anchor)[1] == pytest.approx(upper, abs=4)
