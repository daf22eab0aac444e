"""Figures, drawn without a screen: what is in them, where it is, and that it follows the navigation."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR, class_colours, row_colours, row_labels
from particlespy_ml.tables.dataframe import with_column


@pytest.fixture
def uneven(make_image, make_frame):
    """A grid of 3 x 2 frames, so that rows and columns cannot be confused, with 0, 1, 2 or 3 particles."""
    places = [(30, 30), (80, 110), (95, 40)]
    counts = [2, 0, 1, 3, 0, 2]
    frames = [make_frame(places[:n], [12, 16, 9][:n], seed=n) for n in counts]
    return make_image(np.stack(frames).reshape(3, 2, 128, 160), names=("temperature", "time"))


def measured(image, **options):
    return image.measure_particles(np.asarray(image.data) > 2.5, **options)


def drawn(marker):
    """Number of items that a marker shows now."""
    collection = marker._collection
    return len(collection.get_paths()) if isinstance(collection, PolyCollection) else len(collection._texts)


def vertices(ax):
    """Outlines that an axes shows."""
    (collection,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return [path.vertices for path in collection.get_paths()]


@pytest.mark.parametrize("lazy", [False, True])
def test_markers_follow_the_navigation_of_a_grid(uneven, lazy):
    image = uneven.as_lazy() if lazy else uneven
    table = measured(uneven)
    image.plot_particles(measured(image))
    polygons, texts = image._plot.signal_plot.ax_markers
    for index in np.ndindex(*image.axes_manager.navigation_shape):
        image.axes_manager.indices = index
        rows = table.data[index[::-1]]
        assert drawn(polygons) == len(rows)
        shown = polygons.get_current_kwargs()
        assert len(shown["verts"]) == len(shown["edgecolors"]) == len(rows)
        for mine, row in zip(shown["verts"], rows, strict=True):
            np.testing.assert_allclose(mine, row["outline"])
        text = texts.get_current_kwargs()
        assert list(text["texts"]) == [str(n) for n in rows["label"]]
        np.testing.assert_allclose(
            np.reshape(text["offsets"], (-1, 2)), np.column_stack([rows["x"], rows["bbox_y_min"]])
        )


def test_markers_follow_the_navigation_of_a_series(series):
    series.plot_particles(measured(series), label=None)
    (polygons,) = series._plot.signal_plot.ax_markers
    counts = []
    for index in (0, 1, 2, 1, 0):
        series.axes_manager.indices = (index,)
        counts.append(drawn(polygons))
    assert counts == [2, 0, 1, 0, 2]


@pytest.mark.parametrize(("index", "count"), [(0, 2), (1, 0), (2, 1)])
def test_markers_of_one_image(series, index, count):
    image = series.inav[index]
    image.plot_particles(measured(image))
    markers = image._plot.signal_plot.ax_markers
    assert [drawn(marker) for marker in markers] == [count] * len(markers)
    assert len(markers) == (2 if count else 0)


def test_a_series_of_one_frame_and_a_grid_of_one(two_disks, make_image):
    for shape in [(1, 128, 160), (1, 1, 128, 160)]:
        image = make_image(two_disks.data.reshape(shape))
        image.plot_particles(measured(image))
        assert [drawn(marker) for marker in image._plot.signal_plot.ax_markers] == [2, 2]


def test_markers_of_a_part_of_a_series(series):
    table = measured(series)
    part = series.inav[1:]
    part.plot_particles(table.inav[1:])
    assert [drawn(marker) for marker in part._plot.signal_plot.ax_markers] == [0, 0]
    part.axes_manager.indices = (1,)
    assert [drawn(marker) for marker in part._plot.signal_plot.ax_markers] == [1, 1]


def test_markers_are_not_kept_with_the_image(series, tmp_path):
    """Markers that vary in number would stop HyperSpy from plotting and saving parts of the series."""
    series.plot_particles(measured(series))
    assert not series.metadata.has_item("Markers")
    series.inav[1:].plot()
    series.save(tmp_path / "series.hspy")


def test_markers_can_be_added_by_hand(two_disks):
    markers = measured(two_disks).to_markers(label="equivalent_circular_diameter")
    two_disks.plot()
    two_disks.add_marker(markers)
    diameters = [float(text) for text in markers[1].get_current_kwargs()["texts"]]
    assert diameters == pytest.approx([2 * 14.5 * 0.04, 2 * 20.5 * 0.04], abs=0.05)


def test_plot_particles_of_another_series(series, two_disks):
    with pytest.raises(ValueError, match=r"navigation shape \(3,\), the image \(\)"):
        two_disks.plot_particles(measured(series))
    assert plt.get_fignums() == []


def test_outlines_lie_on_the_particles_where_the_image_is_shown(two_disks):
    for slices in (np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1]):
        image = two_disks.isig[slices]
        ax = measured(image).plot_overlay(image)
        left, right, bottom, top = ax.images[0].get_extent()
        shown = np.asarray(ax.images[0].get_array())
        rows, columns = shown.shape
        for outline in vertices(ax):
            x, y = outline.mean(0)
            column, row = (x - left) / (right - left) * columns, (y - top) / (bottom - top) * rows
            assert shown[int(row), int(column)] > 2.8
        image.plot_particles(measured(image))
        axis = image._plot.signal_plot.ax.images[0].get_extent()
        np.testing.assert_allclose(axis, (left, right, bottom, top))  # as HyperSpy shows it


def test_overlay_of_a_frame(uneven):
    table = measured(uneven)
    for index in np.ndindex(2, 3):
        ax = table.plot_overlay(uneven, index)
        rows = table.data[index[::-1]]
        np.testing.assert_array_equal(ax.images[0].get_array(), uneven.data[index[::-1]])
        found = vertices(ax) if len(rows) else []
        assert len(found) == len(rows)
        assert [t.get_text() for t in ax.texts] == [str(n) for n in rows["label"]]
        assert ax.get_legend() is None
        plt.close(ax.figure)


def test_overlay_shows_the_current_frame_and_takes_integers(series):
    table = measured(series)
    series.axes_manager.indices = (2,)
    for ax in (
        table.plot_overlay(series),
        table.plot_overlay(series, 2),
        table.plot_overlay(series.as_lazy(), np.int64(2)),
    ):
        assert len(vertices(ax)) == 1


def test_overlay_has_a_legend_of_the_classes_in_the_frame(series, add_classes):
    table = add_classes(measured(series))
    ax = table.plot_overlay(series, 0)
    handles = {
        t.get_text(): h.get_color()
        for t, h in zip(ax.get_legend().get_texts(), ax.get_legend().get_lines(), strict=True)
    }
    assert handles == {"icosahedron": PALETTE[0], "amorphous": PALETTE[1]}
    (collection,) = ax.collections
    assert [to_hex(c).upper() for c in collection.get_edgecolor()] == [PALETTE[0], PALETTE[1]]
    assert [t.get_text() for t in ax.texts] == ["icosahedron 75 %", "amorphous 75 %"]
    ax = table.plot_overlay(series, 2)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["undefined"]
    assert table.plot_overlay(series, 1).get_legend() is None


def test_overlay_on_axes_of_ones_own_and_without_labels(two_disks):
    figure, ax = plt.subplots()
    assert measured(two_disks).plot_overlay(two_disks, label=None, ax=ax) is ax
    assert [t.get_text() for t in ax.texts if t.get_text()] == []
    assert len(plt.get_fignums()) == 1


def test_overlay_of_unusual_shapes_and_dtypes(make_image):
    labels = np.zeros((400, 20), int)
    labels[10:15, 5:10] = 1
    for data in (labels > 0, labels.astype(np.uint8), labels.astype(np.float16)):
        image = make_image(data)
        figure = image.measure_particles(labels).plot_overlay(image).figure
        assert max(figure.get_size_inches()) < 15
        figure.canvas.draw()


def test_overlay_errors(series, two_disks):
    table = measured(series)
    with pytest.raises(ValueError, match=r"frames of \(128, 160\) pixels, not \(128, 50\)"):
        table.plot_overlay(series.isig[:50])
    with pytest.raises(ValueError, match=r"the table has \(3,\)"):
        table.plot_overlay(two_disks)
    with pytest.raises(ValueError, match="frame .* was asked for"):
        table.plot_overlay(series, (0, 1))
    with pytest.raises(ValueError, match="no column 'colour' to write; expected one of label, x"):
        table.plot_overlay(series, 0, label="colour")
    with pytest.raises(ValueError, match="one index for each navigation axis"):
        table.plot_overlay(series, 3)


def test_colours_of_classes_tracks_and_plain(series, add_classes):
    table = measured(series)
    rows = table.data[0]
    assert len(set(row_colours(table, rows))) == 1
    tracked = table.track_particles(max_displacement=0.3)
    assert row_colours(tracked, tracked.data[0]) == list(PALETTE[:2])
    assert row_labels(tracked, tracked.data[0], "auto") == ["0", "1"]
    classified = add_classes(table)
    assert row_colours(classified, classified.data[2]) == [UNDEFINED_COLOUR]
    assert row_labels(classified, classified.data[2], "auto") == [""]
    assert row_labels(classified, classified.data[0], "class") == ["icosahedron", "amorphous"]
    assert row_labels(classified, classified.data[0], None) == ["", ""]
    assert class_colours(tuple("abcdefghi"))["h"] == PALETTE[0]  # from the beginning again


@pytest.mark.parametrize("lazy", [False, True])
def test_histogram(uneven, lazy):
    table = measured(uneven)
    ax = measured(uneven.as_lazy() if lazy else uneven).plot_histogram("area", bins=[0, 0.5, 1, 2])
    np.testing.assert_array_equal([p.get_height() for p in ax.patches], np.histogram(table["area"], [0, 0.5, 1, 2])[0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Area (nm²)", "Particles")
    assert ax.get_legend() is None


def test_histogram_stacked_by_class(uneven, add_classes):
    table = add_classes(measured(uneven))
    ax = table.plot_histogram("equivalent_circular_diameter", by="class", bins=4)
    assert {t.get_text() for t in ax.get_legend().get_texts()} == {"icosahedron", "amorphous", "undefined"}
    assert sum(p.get_height() for p in ax.patches) == table.n_particles
    assert {to_hex(p.get_facecolor()).upper() for p in ax.patches} == {PALETTE[0], PALETTE[1], UNDEFINED_COLOUR}
    assert ax.get_xlabel() == "Equivalent circular diameter (nm)"


def test_histogram_leaves_out_what_is_no_number(two_disks):
    table = measured(two_disks)
    table.data[0]["circularity"][0] = np.nan
    ax = table.plot_histogram("circularity")
    assert sum(p.get_height() for p in ax.patches) == 1
    assert ax.get_xlabel() == "Circularity"


def test_histogram_with_a_value_far_from_all_others(two_disks):
    table = with_column(measured(two_disks).select(np.arange(2) < 1), "far", [np.ones(1)], "f8", "")
    rows = np.repeat(table.data[0], 200)
    rows["far"] = np.append(np.linspace(1, 2, 199), 1e12)
    table.data[0] = rows
    ax = table.plot_histogram("far")  # bins as wide as most of the values need would be some 1e13
    assert len(ax.patches) <= 500 and sum(p.get_height() for p in ax.patches) == 200
    rows["far"] = 7.0
    assert sum(p.get_height() for p in table.plot_histogram("far").patches) == 200
    rows["far"] = 1e300
    assert sum(p.get_height() for p in table.plot_histogram("far", bins=3).patches) == 200


def test_particles_without_a_value_to_group_by_are_drawn_grey(uneven):
    table = measured(uneven)
    counts = [len(rows) for rows in table.data.ravel()]
    values = np.resize([1.0, np.nan, 2.5, np.inf], sum(counts))
    table = with_column(table, "kind", np.split(values, np.cumsum(counts)[:-1]), "f8", "")
    ax = table.plot_histogram("area", by="kind")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1", "2.5", "no value"]
    assert sum(p.get_height() for p in ax.patches) == table.n_particles
    ax = table.plot_scatter("area", "x", by="kind")
    grey, coloured = ax.collections
    assert len(grey.get_offsets()) == np.sum(~np.isfinite(values)) and len(ax.figure.axes) == 2
    assert to_hex(grey.get_facecolor()[0][:3]).upper() == UNDEFINED_COLOUR
    np.testing.assert_array_equal(coloured.get_array(), values[np.isfinite(values)])


def test_steps_far_from_the_origin_are_told_apart(uneven):
    uneven.axes_manager["time"].offset = 1e6
    ax = measured(uneven).plot_histogram("area", by="time")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1000000", "1000000.5"]


def test_frames_without_contrast_or_with_pixels_that_are_not_finite(two_disks):
    table = measured(two_disks)
    two_disks.data[0] = np.nan
    low, high = table.plot_overlay(two_disks).images[0].get_clim()
    assert 1.8 < low < 2.1 and 2.9 < high < 3.2
    for value, limits in ((3.0, (2.5, 3.5)), (1e9, (0.999e9, 1.001e9)), (np.inf, (0, 1))):
        two_disks.data[:] = value
        ax = table.plot_overlay(two_disks)
        assert ax.images[0].get_clim() == pytest.approx(limits)
        ax.figure.canvas.draw()


def test_scatter(uneven, add_classes, monkeypatch):
    table = add_classes(measured(uneven))
    ax = table.plot_scatter("area", "intensity", by="class")
    points = np.concatenate([c.get_offsets() for c in ax.collections])
    expected = np.column_stack([table["area"], table["intensity"]])
    np.testing.assert_allclose(points[np.lexsort(points.T)], expected[np.lexsort(expected.T)])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Area (nm²)", "Intensity")
    many = table.plot_scatter("x", "y", by="area")
    assert len(many.figure.axes) == 2  # a colour bar
    with monkeypatch.context() as patch, pytest.raises(ValueError, match="values; expected"):
        patch.setattr("particlespy_ml.plotting.table.MOST_GROUPS", 2)
        table.plot_histogram("area", by="x")
    ax = table.plot_scatter("time", "area", by="temperature")
    assert ax.get_xlabel() == "Time (s)"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["1", "1.5", "2"]


def test_figures_without_particles(series, add_classes):
    image = series.inav[1]
    table = measured(image)
    for ax in (table.plot_histogram("area"), table.plot_scatter("area", "x"), table.plot_overlay(image)):
        ax.figure.canvas.draw()
    table = add_classes(table)
    for ax in (table.plot_histogram("area", by="class"), table.plot_scatter("x", "y", by="class")):
        ax.figure.canvas.draw()
    assert table.plot_class_fractions().figure.canvas.draw() is None


def test_columns_that_cannot_be_drawn(two_disks):
    table = measured(two_disks)
    for call in (
        lambda: table.plot_histogram("colour"),
        lambda: table.plot_scatter("area", "class"),
        lambda: table.plot_histogram("outline"),
    ):
        with pytest.raises(ValueError, match="no column of numbers '.*'; expected one of frame, label, x"):
            call()
    with pytest.raises(ValueError, match="no column 'colour'; expected one of frame"):
        table.plot_histogram("area", by="colour")
    assert plt.get_fignums() == []  # a call that fails leaves no empty figure


def test_class_fractions_over_a_series(series, add_classes):
    table = add_classes(measured(series))
    ax = table.plot_class_fractions()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Fraction of particles")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["icosahedron", "amorphous", "undefined"]
    tops = [max(p.get_y() + p.get_height() for p in ax.patches if p.get_x() == x) for x in (0.75, 1.25, 1.75)]
    assert tops == pytest.approx([1, 0, 1])  # the frame without particles is blank


def test_class_fractions_of_one_image_and_of_a_grid(series, grid, add_classes):
    ax = add_classes(measured(series.inav[0])).plot_class_fractions()
    assert [p.get_height() for p in ax.patches] == [0.5, 0.5, 0]
    with pytest.raises(ValueError, match="along one axis"):
        add_classes(measured(grid)).plot_class_fractions()
    with pytest.raises(ValueError, match="not classified"):
        measured(series).plot_class_fractions()


def test_a_law_over_the_histogram(measured_sizes):
    import matplotlib.pyplot as plt
    from matplotlib.container import BarContainer

    ax = measured_sizes.plot_histogram("equivalent_circular_diameter", fit="lognormal", bins=20, figsize=(6, 3))
    assert tuple(ax.figure.get_size_inches()) == (6, 3)
    whole = measured_sizes.select("not touches_border")
    sizes = whole.fit_sizes().loc["all"]
    (bars,) = (part for part in ax.containers if isinstance(part, BarContainer))
    assert sum(bar.get_height() for bar in bars) == whole.n_particles == sizes["count"]
    curve, *lines = ax.lines
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert area == pytest.approx(sum(bar.get_height() * bar.get_width() for bar in bars), rel=0.03)
    assert [line.get_xdata()[0] for line in lines] == pytest.approx(sizes[["D10", "D50", "D90"]].tolist())
    assert f"D50 = {sizes['D50']:.3g}" in " ".join(text.get_text() for text in ax.get_legend().get_texts())
    plt.close(ax.figure)
    with pytest.raises(ValueError, match="distribution='cauchy'"):
        measured_sizes.plot_histogram("area", fit="cauchy")


@pytest.fixture(scope="module")
def measured_sizes():
    """A table of 300 particles of lognormal sizes, some cut by the border."""
    import particlespy_ml as pml
    from particlespy_ml.tables.dataframe import table_like

    table = pml.data.gold_on_carbon().measure_particles()
    rng = np.random.default_rng(0)
    rows = np.repeat(table.data[0], 50)
    rows["equivalent_circular_diameter"] = rng.lognormal(1, 0.2, len(rows))
    rows["touches_border"] = rng.random(len(rows)) < 0.1
    return table_like(table, [rows], dict(table.units))
