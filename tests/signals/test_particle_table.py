"""The table as a signal: what files, slices and copies keep of it."""

import hyperspy.api as hs
import numpy as np
import pytest

from particlespy_ml.core.frames import compute_together

SHAPES = {"single": (), "series": (3,), "grid": (2, 2)}
COUNTS = {"single": [2], "series": [2, 0, 1], "grid": [2, 0, 1, 2]}


@pytest.fixture(params=SHAPES)
def kind(request):
    return request.param


@pytest.fixture
def image(kind, two_disks, series, grid):
    return {"single": two_disks, "series": series, "grid": grid}[kind]


@pytest.fixture
def table(image, model_folder):
    return image.classify_particles(model_folder)


def check_same(one, other):
    """The same rows to the last bit, columns, units, classes and axes."""
    assert one.data.shape == other.data.shape
    assert one.columns == other.columns
    assert one.units == other.units
    assert one.classes == other.classes
    for rows, expected in zip(one.data.ravel(), other.data.ravel(), strict=True):
        assert rows.dtype == expected.dtype
        assert rows.shape == expected.shape and rows.ndim == 1
        assert rows.tobytes() == expected.tobytes()
    for axis, expected in zip(one.axes_manager._axes, other.axes_manager._axes, strict=True):
        for name in ("name", "size", "scale", "offset", "units", "navigate"):
            assert getattr(axis, name) == getattr(expected, name)
    records = [signal.metadata.particlespy_ml.as_dictionary() for signal in (one, other)]
    assert records[0] == records[1]


def test_table_of_an_image(kind, table, image):
    assert type(table).__name__ == "ParticleTable"
    assert table.data.shape == (SHAPES[kind] or (1,))
    assert [len(rows) for rows in table.data.ravel()] == COUNTS[kind]
    assert table.n_particles == sum(COUNTS[kind])
    assert table.classes == ("icosahedron", "decahedron", "cuboctahedron", "amorphous")
    for axis, original in zip(table.axes_manager.navigation_axes, image.axes_manager.navigation_axes, strict=False):
        assert (axis.name, axis.scale, axis.offset, axis.units) == (
            original.name,
            original.scale,
            original.offset,
            original.units,
        )


def test_hspy_round_trip(tmp_path, table):
    table.metadata.General.title = "gold"
    table.save(tmp_path / "table.hspy")
    loaded = hs.load(tmp_path / "table.hspy")
    assert type(loaded).__name__ == "ParticleTable"
    assert loaded.metadata.General.title == "gold"
    check_same(loaded, table)


def test_hspy_round_trip_without_any_particle(tmp_path, make_image, make_frame):
    image = make_image(np.stack([make_frame([], [], seed=i) for i in range(2)]))
    table = image.measure_particles()
    assert table.n_particles == 0
    table.save(tmp_path / "table.hspy")
    loaded = hs.load(tmp_path / "table.hspy")
    check_same(loaded, table)
    assert len(loaded["area"]) == 0 and loaded["outline"].shape == (0, 64, 2)


def test_loaded_table_does_what_the_table_did(tmp_path, table):
    table.save(tmp_path / "table.hspy")
    loaded = hs.load(tmp_path / "table.hspy")
    assert loaded.to_dataframe().equals(table.to_dataframe())
    chosen = loaded.select("area > 0")
    assert chosen.columns == table.columns
    check_same(chosen, table)
    assert loaded.class_fractions().equals(table.class_fractions())


def test_lazy_table_is_saved(tmp_path, image, table, model_folder):
    lazy = image.as_lazy().classify_particles(model_folder)
    assert type(lazy).__name__ == "LazyParticleTable"
    lazy.save(tmp_path / "table.hspy")
    assert lazy._lazy  # saving leaves the signal as it was
    loaded = hs.load(tmp_path / "table.hspy")
    assert [len(rows) for rows in loaded.data.ravel()] == [len(rows) for rows in table.data.ravel()]
    assert loaded.columns == table.columns
    np.testing.assert_array_equal(loaded["area"], table["area"])


def test_as_lazy_and_compute(table):
    lazy = table.as_lazy()
    assert type(lazy).__name__ == "LazyParticleTable"
    check_same(lazy._computed(), table)
    assert lazy._lazy
    lazy.compute(show_progressbar=False)
    assert type(lazy).__name__ == "ParticleTable"
    check_same(lazy, table)


def test_compute_together_makes_tables(image):
    table, labels = image.as_lazy().measure_particles(return_labels=True)
    compute_together(table, labels, show_progressbar=False)
    assert type(table).__name__ == "ParticleTable" and type(labels).__name__ == "Signal2D"
    assert not table._lazy and not labels._lazy


def test_deepcopy_keeps_everything_and_shares_no_rows(table):
    copy = table.deepcopy()
    check_same(copy, table)
    copy.metadata.particlespy_ml.units.set_item("x", "m")
    assert table.units["x"] == "nm"


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_inav_of_a_series(series, model_folder, lazy):
    table = series.classify_particles(model_folder)
    table = table.as_lazy() if lazy else table
    for number, count in enumerate([2, 0, 1]):
        frame = table.inav[number]
        assert type(frame) is type(table)
        assert frame.n_particles == count
        assert frame.columns == table.columns and frame.classes == table.classes and frame.units == table.units
    some = table.inav[1:]
    assert [len(rows) for rows in some._frames()] == [0, 1]
    assert some.axes_manager[0].offset == pytest.approx(1.5)
    assert some.to_dataframe()["time"].tolist() == [2.0]
    assert table.inav[2.0:].n_particles == 1  # by time


def test_inav_of_a_grid(grid):
    table = grid.measure_particles()
    # inav counts the axes as HyperSpy names them: the fastest (time) first
    assert table.inav[0, 0].n_particles == 2
    assert table.inav[1, 0].n_particles == 0
    assert table.inav[0, 1].n_particles == 1
    assert table.inav[:, 0].axes_manager[0].name == "time"
    assert [len(rows) for rows in table.inav[:, 1]._frames()] == [1, 2]


def test_repr(table, kind):
    assert repr(table).startswith("<ParticleTable")
    assert repr(table.as_lazy()).startswith("<LazyParticleTable")
    html = table._repr_html_()
    assert f"{sum(COUNTS[kind])} particles" in html and "equivalent_circular_diameter" in html


def test_repr_of_a_lazy_table_computes_nothing(make_image):
    bad = make_image(np.full((2, 32, 32), np.nan, np.float32), lazy=True).measure_particles()
    assert "LazyParticleTable" in repr(bad) and "ragged" in bad._repr_html_().lower()
    assert "area" in bad.columns and bad.units["area"] == "nm²"


def test_columns(table):
    assert table.columns[-1] == "class" and len(set(table.columns)) == len(table.columns)
    for name in table.columns:
        assert len(table[name]) == table.n_particles
    assert table["outline"].shape == (table.n_particles, 64, 2)
    assert set(table["class"]) <= {*table.classes, "undefined"}
    assert set(table.units) == set(table.columns)
    with pytest.raises(KeyError, match="no column 'colour'.*equivalent_circular_diameter"):
        table["colour"]


def test_columns_of_a_table_that_is_not_classified(two_disks):
    table = two_disks.measure_particles()
    assert table.classes == () and "class" not in table.columns
    with pytest.raises(KeyError, match="class"):
        table["class"]


@pytest.mark.parametrize("names", [["fcc polyhedron", "5-fold"], ["a.b", "c/d"], ["Ih", "Größe"]], ids=str)
def test_class_names_of_any_kind_survive_a_file(tmp_path, make_model, two_disks, names):
    folder = make_model(classes=[*names, "x", "y"])
    table = two_disks.classify_particles(folder)
    assert table.classes == (*names, "x", "y")
    table.save(tmp_path / "table.hspy")
    loaded = hs.load(tmp_path / "table.hspy")
    check_same(loaded, table)
    assert f"probability_{names[0]}" in loaded.to_dataframe()


def test_provenance(table, model_folder):
    record = table.metadata.particlespy_ml.as_dictionary()
    assert record["image"]["units"] == "nm" and record["image"]["scale"] == [0.04, 0.04]
    assert record["segmentation"]["method"] == "auto"
    assert record["model"]["name"] == "random" and len(record["model"]["sha256"]) == 64
    assert {"hyperspy", "torch", "numpy"} <= set(record["versions"])


def test_tracking_a_lazy_table_reads_the_frames_once(series):
    import dask.array as da

    read = []

    def frame(block, block_info=None):
        read.append(block_info[0]["chunk-location"])
        return block

    lazy = series.as_lazy()
    lazy.data = lazy.data.rechunk((1, -1, -1)).map_blocks(frame, dtype=lazy.data.dtype, meta=np.empty((0, 0, 0)))
    assert isinstance(lazy.data, da.Array)
    table = lazy.measure_particles()
    read.clear()
    tracked = table.track_particles()
    assert read == [] and tracked._lazy
    assert tracked["track"].tolist() == [0, 1, 0]
    assert len(read) == 6  # each frame once, and all three for what holds for the series
    assert tracked.n_particles == 3 and "track" in tracked.columns
