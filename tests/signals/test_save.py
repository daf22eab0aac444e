"""A save that fails changes nothing on disk; one that succeeds does what HyperSpy's does."""

import importlib
import re
from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:The NestedDirectoryStore is deprecated")  # of rosettasciio

SUFFIXES = [".hspy", ".zspy"]
both_stores = pytest.mark.parametrize("suffix", SUFFIXES)


@pytest.fixture(autouse=True)
def zarr_that_hyperspy_writes(request):
    if "suffix" in request.fixturenames and request.getfixturevalue("suffix") == ".zspy":
        zarr = pytest.importorskip("zarr")
        if int(zarr.__version__.split(".")[0]) >= 3:
            pytest.skip("HyperSpy writes .zspy with zarr<3 only")


@pytest.fixture
def image(make_image):
    return make_image(np.arange(2 * 12 * 16, dtype=np.float32).reshape(2, 12, 16))


@pytest.fixture
def break_writer(monkeypatch):
    """A function that makes the writer of a format fail once it has written its file."""

    def break_it(suffix, error=None):
        module = importlib.import_module(
            {".hspy": "rsciio.hspy", ".zspy": "rsciio.zspy", ".tif": "rsciio.tiff"}[suffix]
        )
        write = module.file_writer

        def fail(filename, *arguments, **keywords):
            write(filename, *arguments, **keywords)
            path = Path(filename)
            files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
            for file in files:  # half of each file is what a full disk leaves
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
            raise error or OSError("No space left on device")

        monkeypatch.setattr(module, "file_writer", fail)

    return break_it


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@both_stores
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("error", [OSError("No space left"), KeyboardInterrupt()], ids=["full disk", "interrupted"])
def test_a_save_that_fails_leaves_the_old_file(tmp_path, image, break_writer, suffix, lazy, error):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    before = snapshot(tmp_path)
    break_writer(suffix, error)
    other = image * 0
    with pytest.raises(type(error)):
        (other.as_lazy() if lazy else other).save(path, overwrite=True)
    assert snapshot(tmp_path) == before
    np.testing.assert_array_equal(hs.load(path).data, image.data)


@pytest.mark.parametrize(
    ("suffix", "name", "keywords"),
    [
        (".hspy", "image.hspy", {}),
        (".zspy", "image.zspy", {}),
        (".hspy", "image", {}),
        (".hspy", "image", {"extension": "hspy"}),
        (".zspy", "image", {"extension": "zspy"}),
        (".zspy", "image", {"file_format": "zspy"}),
        (".zspy", "image", {"file_format": "ZSPY"}),
    ],
)
def test_a_save_that_fails_leaves_no_new_file(tmp_path, image, break_writer, suffix, name, keywords):
    break_writer(suffix)
    with pytest.raises(OSError, match="No space"):
        image.save(tmp_path / name, **keywords)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_fails_to_save_leaves_the_old_one(tmp_path, two_disks, break_writer):
    table = two_disks.measure_particles()
    table.save(tmp_path / "table.hspy")
    before = snapshot(tmp_path)
    break_writer(".hspy")
    with pytest.raises(OSError, match="No space"):
        table.select("area < 0").save(tmp_path / "table.hspy", overwrite=True)
    assert snapshot(tmp_path) == before
    assert hs.load(tmp_path / "table.hspy").n_particles == 2


def test_a_table_that_fails_to_compute_leaves_the_old_one(tmp_path, two_disks, make_image):
    two_disks.measure_particles().save(tmp_path / "table.hspy")
    before = snapshot(tmp_path)
    bad = make_image(np.full((2, 32, 32), np.nan, np.float32), lazy=True)
    with pytest.raises(ValueError, match="not finite"):
        bad.measure_particles().save(tmp_path / "table.hspy", overwrite=True)
    assert snapshot(tmp_path) == before


def test_a_tiff_that_fails_leaves_the_old_one(tmp_path, image, break_writer):
    image.save(tmp_path / "image.tif")
    before = snapshot(tmp_path)
    break_writer(".tif")
    with pytest.raises(OSError, match="No space"):
        (image * 0).save(tmp_path / "image.tif", overwrite=True)
    assert snapshot(tmp_path) == before


@both_stores
def test_the_new_file_replaces_the_old_one(tmp_path, image, suffix):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    (image.inav[0] * 3).save(path, overwrite=True)
    np.testing.assert_array_equal(hs.load(path).data, image.data[0] * 3)
    assert list(tmp_path.iterdir()) == [path]


@both_stores
def test_overwrite_false_keeps_the_old_file(tmp_path, image, suffix):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    before = snapshot(tmp_path)
    (image * 0).save(path, overwrite=False)
    assert snapshot(tmp_path) == before


@both_stores
@pytest.mark.parametrize("answer", ["y", "n"])
def test_overwrite_none_asks(tmp_path, image, monkeypatch, suffix, answer):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    asked = []
    monkeypatch.setattr("builtins.input", lambda message: asked.append(message) or answer)
    (image * 0).save(path)
    assert len(asked) == 1 and path.name in asked[0]
    assert np.any(hs.load(path).data) == (answer == "n")


def test_overwrite_none_asks_and_protects(tmp_path, image, monkeypatch, break_writer):
    image.save(tmp_path / "image.hspy")
    before = snapshot(tmp_path)
    monkeypatch.setattr("builtins.input", lambda message: "y")
    break_writer(".hspy")
    with pytest.raises(OSError, match="No space"):
        (image * 0).save(tmp_path / "image.hspy")
    assert snapshot(tmp_path) == before


def test_overwrite_takes_no_other_value(tmp_path, image):
    image.save(tmp_path / "image.hspy")
    with pytest.raises(ValueError, match="overwrite"):
        image.save(tmp_path / "image.hspy", overwrite="yes")


def test_a_lazy_table_is_not_computed_when_it_is_not_saved(tmp_path, two_disks, make_image):
    two_disks.measure_particles().save(tmp_path / "table.hspy")
    bad = make_image(np.full((2, 32, 32), np.nan, np.float32), lazy=True)
    bad.measure_particles().save(tmp_path / "table.hspy", overwrite=False)
    assert hs.load(tmp_path / "table.hspy").n_particles == 2


def test_save_without_a_name_goes_where_the_signal_came_from(tmp_path, image, break_writer):
    image.save(tmp_path / "image.hspy")
    loaded = hs.load(tmp_path / "image.hspy")
    loaded.data = loaded.data * 2
    loaded.save(overwrite=True)
    np.testing.assert_array_equal(hs.load(tmp_path / "image.hspy").data, image.data * 2)
    break_writer(".hspy")
    before = snapshot(tmp_path)
    with pytest.raises(OSError, match="No space"):
        hs.load(tmp_path / "image.hspy").save(overwrite=True)
    assert snapshot(tmp_path) == before


def test_save_into_a_folder_takes_the_signals_name(tmp_path, image):
    (tmp_path / "results").mkdir()
    image.save(tmp_path / "image.hspy")
    hs.load(tmp_path / "image.hspy").save(tmp_path / "results")
    np.testing.assert_array_equal(hs.load(tmp_path / "results" / "image.hspy").data, image.data)


def test_save_makes_the_folder(tmp_path, image):
    image.save(tmp_path / "new" / "deeper" / "image.hspy")
    assert (tmp_path / "new" / "deeper" / "image.hspy").is_file()


def test_save_without_any_name_is_an_error(image):
    with pytest.raises(ValueError, match="File name not defined"):
        image.save()


@pytest.mark.filterwarnings("ignore:Duplicate name")  # of zarr 2
def test_save_to_a_zarr_store(tmp_path, image):
    zarr = pytest.importorskip("zarr")
    if int(zarr.__version__.split(".")[0]) >= 3:
        pytest.skip("HyperSpy writes .zspy with zarr<3 only")
    store = zarr.ZipStore(str(tmp_path / "image.zspy"))
    image.save(store)
    np.testing.assert_array_equal(hs.load(tmp_path / "image.zspy").data, image.data)


@both_stores
def test_a_lazy_signal_saved_over_its_own_file(tmp_path, image, suffix):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    (hs.load(path, lazy=True) + 1).save(path, overwrite=True, show_progressbar=False)
    np.testing.assert_array_equal(hs.load(path).data, image.data + 1)


@both_stores
def test_metadata_alone_are_saved_into_the_old_file(tmp_path, image, suffix):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    image.axes_manager[-1].scale = 7
    image.save(path, overwrite=True, write_dataset=False)
    loaded = hs.load(path)
    assert loaded.axes_manager[-1].scale == 7
    np.testing.assert_array_equal(loaded.data, image.data)


def test_a_saved_signal_knows_its_file(tmp_path, image):
    image.save(tmp_path / "first.hspy")
    image.save(tmp_path / "first.hspy", overwrite=True)
    known = image.tmp_parameters
    assert (str(known.folder), known.filename, known.extension) == (str(tmp_path), "first", ".hspy")
    assert image.metadata.General.title == hs.load(tmp_path / "first.hspy").metadata.General.title == ""


def test_a_format_of_another_kind_still_works(tmp_path, image):
    image.save(tmp_path / "image.rpl")
    image.save(tmp_path / "image.rpl", overwrite=True)
    assert (tmp_path / "image.raw").is_file()


def test_a_table_is_not_saved_as_zspy(tmp_path, two_disks):
    with pytest.raises(ValueError, match=r"\.hspy.*to_csv"):
        two_disks.measure_particles().save(tmp_path / "table.zspy")
    assert list(tmp_path.iterdir()) == []


def every_extension():
    from rsciio import IO_PLUGINS

    found = {name for plugin in IO_PLUGINS if plugin["writes"] is not False for name in plugin["file_extensions"]}
    return sorted({name.lower() for name in found} | {"csv", "xlsx", "json", "npz"})


IMAGES = {
    "image": lambda i: i.inav[0],
    "series": lambda i: i,
    "single": lambda i: i.inav[:1],
    "backwards": lambda i: i.inav[0].isig[::-1, :],
    "words": lambda i: i.inav[0],
}


KEPT = ("hspy", "zspy", "tif", "emd", "rpl", "nxs")


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize(
    ("extension", "kind"),
    [*((e, "image") for e in every_extension() if e not in KEPT), *((e, k) for e in KEPT for k in IMAGES)],
)
def test_images_come_back_or_are_refused(tmp_path, image, extension, kind, lazy):
    """Pixels, navigation shape and calibration are as they were; otherwise there is a reason and no file."""
    if extension == "zspy" and int(pytest.importorskip("zarr").__version__.split(".")[0]) >= 3:
        pytest.skip("HyperSpy writes .zspy with zarr<3 only")
    image.axes_manager.signal_axes.set(offset=-0.3)
    image = IMAGES[kind](image)
    if kind == "words":
        image.metadata.set_item("Sample.elements", ["Au", "Pt"])
    path = tmp_path / f"image.{extension}"
    try:
        (image.as_lazy() if lazy else image.deepcopy()).save(path)
    except ValueError as error:
        assert "Save it as .hspy" in str(error) or "multiple file formats" in str(error)
        assert list(tmp_path.iterdir()) == []
        assert extension not in ("hspy", "zspy") and (extension, kind) != ("tif", "image")
        return
    loaded = hs.load(path)
    np.testing.assert_array_equal(loaded.data, image.data)
    assert loaded.axes_manager.navigation_shape == image.axes_manager.navigation_shape
    for one, other in zip(loaded.axes_manager.signal_axes, image.axes_manager.signal_axes, strict=True):
        np.testing.assert_allclose((one.scale, one.offset), (other.scale, other.offset), rtol=1e-6)
        assert one.units == other.units
    if extension in ("hspy", "zspy"):
        assert type(loaded) is type(image)


@pytest.mark.parametrize(
    ("extension", "kind", "lazy"),
    [*((e, "particles", False) for e in every_extension()), *((e, "columns", True) for e in ("hspy", "nxs", "npy"))],
)
def test_tables_come_back_or_are_refused(tmp_path, two_disks, same_rows, extension, kind, lazy):
    table = two_disks.measure_particles(np.asarray(two_disks.data) > 2.5)
    if kind == "columns":
        from particlespy_ml.columns.rows import column_dtype, column_units
        from particlespy_ml.tables.table import make_table, object_array

        rows = np.ones(3, column_dtype())
        axes, record = [{"name": "image", "size": 1, "navigate": True}], {"image": {"shape": [4, 4]}}
        table = make_table(object_array([rows], (1,)), axes, column_units("nm"), record, kind="column_table")
    path = tmp_path / f"table.{extension}"
    try:
        (table.as_lazy() if lazy else table).save(path)
    except ValueError as error:
        assert re.search(r"Save it as .hspy.*to_csv|multiple file formats", str(error))
        assert list(tmp_path.iterdir()) == [] and extension != "hspy"
        return
    loaded = hs.load(path)
    assert type(loaded) is type(table) and loaded.columns == table.columns
    same_rows(loaded, table)


@pytest.mark.parametrize("keywords", [{"extension": "nxs"}, {"file_format": "NeXus"}, {"file_format": "numpy"}])
def test_a_format_may_be_named_otherwise(tmp_path, image, keywords):
    with pytest.raises(ValueError, match="cannot be saved as .*Save it as .hspy"):
        image.save(tmp_path / "image", **keywords)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_keeps_the_pixels_and_says_so(tmp_path, image, dtype):
    image = image.inav[0]
    image.change_dtype(dtype)
    with pytest.warns(UserWarning, match=r"image.png holds the pixels but not their size.*\.hspy"):
        image.save(tmp_path / "image.png")
    np.testing.assert_array_equal(hs.load(tmp_path / "image.png").data, image.data)
