"""Tables as data frames: rows, navigation values, conditions and class fractions."""

import numpy as np
import pandas as pd
import pytest


def measured(image, **options):
    return image.measure_particles(np.asarray(image.data) > 2.5, **options)


def test_one_image(two_disks):
    table = measured(two_disks)
    frame = table.to_dataframe()
    assert list(frame.columns) == ["frame", *(name for name in table.columns if name != "outline")]
    assert list(frame["frame"]) == [0, 0]
    for name in ("x", "area", "label", "touches_border"):
        np.testing.assert_array_equal(frame[name], table[name])
        assert frame[name].dtype == table[name].dtype
    assert frame.attrs["units"]["area"] == "nm²"


def test_series(series):
    frame = measured(series).to_dataframe()
    assert list(frame["frame"]) == [0, 0, 2]
    assert list(frame["time"]) == [1.0, 1.0, 2.0]  # offset 1 s, 0.5 s a frame
    assert frame.attrs["units"]["time"] == "s"


def test_grid(grid):
    time, temperature = grid.axes_manager.navigation_axes
    temperature.scale, temperature.offset, temperature.units = 100, 300, "K"
    frame = measured(grid).to_dataframe()
    assert list(frame["frame"]) == [0, 0, 2, 3, 3]
    assert list(frame["temperature"]) == [300, 300, 400, 400, 400]
    assert list(frame["time"]) == [1, 1, 1, 1.5, 1.5]
    assert (frame.attrs["units"]["temperature"], frame.attrs["units"]["time"]) == ("K", "s")


def test_lazy_tables_give_the_same_frames(grid):
    eager, lazy = measured(grid), measured(grid.as_lazy())
    pd.testing.assert_frame_equal(eager.to_dataframe(), lazy.to_dataframe())
    assert lazy._lazy


def test_no_and_one_particle(series):
    empty = measured(series.inav[1]).to_dataframe()
    one = measured(series.inav[2]).to_dataframe()
    assert len(empty) == 0 and len(one) == 1
    assert list(empty.columns) == list(one.columns)
    assert list(empty.dtypes) == list(one.dtypes)
    assert measured(series.inav[1])["area"].shape == (0,)
    assert measured(series.inav[1])["outline"].shape == (0, 64, 2)


def test_outlines_on_request(two_disks):
    table = measured(two_disks)
    frame = table.to_dataframe(outline=True)
    np.testing.assert_array_equal(frame["outline"][1], table.data[0]["outline"][1])


def test_unnamed_axes_are_numbered(make_image, grid):
    frame = measured(make_image(grid.data)).to_dataframe()
    assert list(frame.columns[:3]) == ["frame", "axis_0", "axis_1"]
    assert list(frame["axis_0"]) == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "names", [("y", "x"), ("frame", "particles"), ("time", "time"), ("x", "x_axis"), ("area", "class")]
)
def test_axes_named_like_columns(make_image, grid, add_classes, names):
    """A grid of stage positions has axes x and y, as the particles have columns."""
    image = make_image(grid.data)
    for axis, name, scale in zip(image.axes_manager.navigation_axes[::-1], names, (100, 7), strict=True):
        axis.name, axis.scale = name, scale
    table = add_classes(measured(image))
    frame = table.to_dataframe()
    assert frame.columns.is_unique
    np.testing.assert_array_equal(frame["x"], table["x"])
    np.testing.assert_array_equal(frame["area"], table["area"])
    outer, inner = frame.columns[1:3]
    assert all(new.startswith(old) for new, old in zip((outer, inner), names, strict=True))
    assert list(frame[outer]) == [0, 0, 100, 100, 100]
    assert list(frame[inner]) == [0, 0, 0, 7, 7]
    fractions = table.class_fractions()
    assert fractions.columns.is_unique and list(fractions["particles"]) == [2, 0, 1, 2]
    assert list(fractions[outer]) == [0, 0, 100, 100]


def test_classes_are_a_category(series, add_classes):
    frame = add_classes(measured(series)).to_dataframe()
    assert list(frame["class"]) == ["icosahedron", "amorphous", "undefined"]
    assert list(frame["class"].cat.categories) == ["icosahedron", "amorphous", "undefined"]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("area > 1.2", [1, 0, 1]),
        ("area > 1.2 and not touches_border", [1, 0, 1]),
        ("time < 1.2", [2, 0, 0]),
        ("frame == 2 or label == 1", [1, 0, 1]),
        ("class == 'icosahedron'", [1, 0, 0]),
        ("`class` in ['amorphous', 'undefined']", [1, 0, 1]),
        ("class_index >= 0 and probability > 0.5", [2, 0, 0]),
        ('class != "class" and area > 100', [0, 0, 0]),
        ("class in ['amorphous', \"undefined\"]", [1, 0, 1]),
        ("class.str.startswith('icos')", [1, 0, 0]),
        ("class == 'the class of gold' or class == 'amorphous'", [1, 0, 0]),
        ("not(class=='icosahedron')and class!='a \\'class\\' b'", [1, 0, 1]),
        ("`area` > 1.2 and area < 100", [1, 0, 1]),
    ],
)
def test_select_by_condition(series, add_classes, condition, kept):
    table = add_classes(measured(series))
    chosen = table.select(condition)
    assert [len(rows) for rows in chosen.data] == kept
    assert chosen.units == table.units and chosen.classes == table.classes
    assert chosen.axes_manager.navigation_axes[0].name == "time"
    assert table.n_particles == 3  # the table itself is as it was


def test_a_table_from_a_file_keeps_the_order_of_its_columns(two_disks, add_classes, tmp_path):
    import hyperspy.api as hs

    table = add_classes(measured(two_disks))
    table.save(tmp_path / "table.hspy")
    loaded = hs.load(tmp_path / "table.hspy")
    for one in (loaded, loaded.select("area > 0"), loaded.track_particles(max_displacement=1).select("area > 0")):
        assert [
            name for name in one.columns if name not in ("track", "drift_x", "drift_y", "unusual_frame")
        ] == table.columns
        assert list(one.data[0].dtype.names) == [name for name in one.columns if name != "class"]


def test_select_by_booleans(grid):
    table = measured(grid)
    keep = table["area"] > 1.2
    for given in (keep, list(keep), pd.Series(keep)):
        chosen = table.select(given)
        np.testing.assert_array_equal(chosen["area"], table["area"][keep])
    assert measured(grid.as_lazy()).select(keep).n_particles == keep.sum()


def test_select_from_nothing(series):
    table = measured(series.inav[1])
    assert table.select("area > 1").n_particles == 0
    assert table.select(np.zeros(0, bool)).n_particles == 0


@pytest.mark.parametrize("condition", ["size > 3", "area >", "colour == 'red'"])
def test_conditions_that_cannot_be_read(two_disks, condition):
    with pytest.raises(ValueError, match="cannot be read.*columns are frame, label, x, y"):
        measured(two_disks).select(condition)


@pytest.mark.parametrize("condition", ["area + 1", [True], [0, 1], [True, False, True]])
def test_conditions_that_are_none(two_disks, condition):
    with pytest.raises(ValueError, match="Expected .*(2 booleans|true or false of each row)"):
        measured(two_disks).select(condition)


def test_class_fractions(grid, add_classes):
    fractions = add_classes(measured(grid)).class_fractions()
    assert list(fractions.columns) == [
        "frame",
        "temperature",
        "time",
        "particles",
        "icosahedron",
        "amorphous",
        "undefined",
    ]
    assert list(fractions["particles"]) == [2, 0, 1, 2]
    np.testing.assert_array_equal(fractions["icosahedron"], [0.5, np.nan, 0, 0.5])
    np.testing.assert_array_equal(fractions["undefined"], [0, np.nan, 1, 0])
    total = fractions[["icosahedron", "amorphous", "undefined"]].sum(axis=1, skipna=False)
    np.testing.assert_array_equal(total, [1, np.nan, 1, 1])


def test_class_fractions_need_classes(two_disks):
    with pytest.raises(ValueError, match="not classified"):
        measured(two_disks).class_fractions()


def test_columns_and_their_errors(two_disks, add_classes):
    table = measured(two_disks)
    with pytest.raises(KeyError, match="no column 'colour'; expected one of label, x"):
        table["colour"]
    with pytest.raises(KeyError, match="class"):
        table["class"]
    assert list(add_classes(table)["class"]) == ["icosahedron", "amorphous"]


def test_tables_of_single_frames_of_a_series(series):
    table = measured(series)
    frame = table.inav[0].to_dataframe()
    assert len(frame) == 2
    np.testing.assert_array_equal(frame["x"], table.to_dataframe()["x"][:2])
    assert table.inav[1].n_particles == 0


NAMES = [
    "class A",
    "a class",
    "it's",
    'say "x"',
    "é ü 金",
    "nan",
    "None",
    "7",
    "a.b",
    "a/b",
    "keys",
    "a#b",
    "two\nlines",
]


@pytest.mark.parametrize("name", NAMES)
def test_classes_of_any_name(two_disks, tmp_path, name):
    """Names are found in strings and in backticks, and come back from files."""
    import hyperspy.api as hs

    from particlespy_ml.tables.dataframe import with_column

    table = with_column(measured(two_disks), "kind", [np.arange(2)], np.int64, "")
    table = table.as_classes("kind", [name, "other class"])
    table.save(tmp_path / "table.hspy")
    for one in (table, hs.load(tmp_path / "table.hspy")):
        assert one.classes == (name, "other class") and list(one["class"]) == [name, "other class"]
        assert one.select(f"class == {name!r}")["label"].tolist() == [1]
        assert one.select(f"class == {name!r} or class == 'other class'").n_particles == 2
        assert one.select(f"`probability_{name}` < 0.5 and area > 0")["label"].tolist() == [2]
        assert list(one.class_fractions()[name]) == [0.5]


@pytest.mark.parametrize("names", [["a", "a"], ["", "b"], ["undefined", "b"], ["frame", "b"], ["particles", "b"]])
def test_names_that_cannot_be_those_of_classes(two_disks, names):
    from particlespy_ml.tables.dataframe import with_column

    table = with_column(measured(two_disks), "kind", [np.arange(2)], np.int64, "")
    with pytest.raises(ValueError, match="cannot be those of classes"):
        table.as_classes("kind", names)
    if names[0] != names[1]:
        with pytest.raises(ValueError, match="cannot be those of classes"):
            table.as_classes("kind").merge_classes({names[0]: ("kind 0",)})


@pytest.mark.parametrize(("dtype", "large"), [("i8", 2**40 + 1), ("u8", 2**63 + 1), ("u4", 3_000_000_000)])
def test_numbers_beyond_int32_survive(two_disks, tmp_path, dtype, large):
    import hyperspy.api as hs

    from particlespy_ml.tables.dataframe import with_column

    ids = np.array([large, large + 1], dtype)
    table = measured(two_disks)
    for name in ("label", "track"):
        table = with_column(table, name, [ids], dtype, "")
    table.save(tmp_path / "table.hspy")
    for one in (table, hs.load(tmp_path / "table.hspy")):
        frame = one.to_dataframe()
        for name in ("label", "track"):
            assert frame[name].tolist() == one[name].tolist() == ids.tolist()
        assert one.select(f"label == {large + 1}")["track"].tolist() == [large + 1]
        assert list(one.as_classes("track")["class"]) == [f"track {large}", f"track {large + 1}"]
