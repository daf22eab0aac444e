"""The signal classes as HyperSpy finds them, and what a user does to a signal without losing its class."""

import importlib

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.signals import BaseSignal, Signal1D, Signal2D

pytestmark = pytest.mark.filterwarnings("ignore:The NestedDirectoryStore is deprecated")  # of rosettasciio

IMAGES = {"particle_image": "ParticleImage", "HAADF": "HAADFImage", "HRTEM": "HRTEMImage"}
ALIASES = {"haadf": "HAADF", "HAADF-STEM": "HAADF", "hrtem": "HRTEM"}
MODULES = {"ParticleImage": "particle_image", "HAADFImage": "haadf", "HRTEMImage": "hrtem"}
NAVIGATION = [(), (3,), (2, 3)]

images = pytest.mark.parametrize("signal_type", IMAGES)
both = pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])


def expected_class(signal_type, lazy):
    name = IMAGES[ALIASES.get(signal_type, signal_type)]
    module = importlib.import_module(f"particlespy_ml.signals.{MODULES[name]}")
    return getattr(module, f"Lazy{name}" if lazy else name)


def check(signal, signal_type, lazy):
    """The very class, and the type that files and metadata know it by."""
    assert type(signal) is expected_class(signal_type, lazy)
    assert signal.metadata.Signal.signal_type == ALIASES.get(signal_type, signal_type)
    assert signal._lazy is lazy
    assert hasattr(signal, "classify_particles")


@pytest.fixture
def make(make_image):
    def image(signal_type, lazy, shape=(3,)):
        data = np.random.default_rng(0).random((*shape, 12, 16)).astype(np.float32)
        return make_image(data, signal_type, lazy, names=("temperature", "time")[2 - len(shape) :])

    return image


@both
@pytest.mark.parametrize("signal_type", [*IMAGES, *ALIASES])
@pytest.mark.parametrize("shape", NAVIGATION, ids=str)
def test_set_signal_type(signal_type, lazy, shape):
    data = np.zeros((*shape, 12, 16))
    signal = Signal2D(data).as_lazy() if lazy else Signal2D(data)
    signal.set_signal_type(signal_type)
    check(signal, signal_type, lazy)
    assert signal.axes_manager.navigation_shape == shape[::-1]
    assert signal.axes_manager.signal_shape == (16, 12)


@both
def test_set_signal_type_and_back(make, lazy):
    signal = make("HAADF", lazy)
    signal.set_signal_type("HRTEM")
    check(signal, "HRTEM", lazy)
    signal.set_signal_type("")
    assert type(signal).__name__ == ("LazySignal2D" if lazy else "Signal2D")
    assert not hasattr(signal, "classify_particles")


@both
@pytest.mark.parametrize("signal_type", [*IMAGES, *ALIASES])
def test_load_with_signal_type(tmp_path, signal_type, lazy):
    Signal2D(np.zeros((3, 12, 16))).save(tmp_path / "plain.hspy")
    check(hs.load(tmp_path / "plain.hspy", signal_type=signal_type, lazy=lazy), signal_type, lazy)


def test_known_signal_types_are_printed(capsys):
    hs.print_known_signal_types()
    printed = capsys.readouterr().out
    for name in (
        *IMAGES,
        "particle_table",
        "column_table",
        *IMAGES.values(),
        "ParticleTable",
        "ColumnTable",
        *ALIASES,
        "particlespy_ml",
    ):
        assert name in printed


def test_haadf_and_hrtem_are_images_of_particles():
    from particlespy_ml.signals._image import Image as base

    assert issubclass(expected_class("HAADF", False), expected_class("particle_image", False))
    for signal_type in IMAGES:
        for lazy in (False, True):
            assert issubclass(expected_class(signal_type, lazy), base)


OPERATIONS = {
    "isig": lambda s: s.isig[2:10, 1:9],
    "isig calibrated": lambda s: s.isig[0.08:0.4, :],
    "inav one": lambda s: s.inav[1],
    "inav some": lambda s: s.inav[:2],
    "rebin": lambda s: s.rebin(scale=(1, 2, 2)),
    "sum over frames": lambda s: s.sum("time"),
    "mean over frames": lambda s: s.mean("time"),
    "plus": lambda s: s + 1,
    "minus itself": lambda s: s - s,
    "times": lambda s: s * 2,
    "deepcopy": lambda s: s.deepcopy(),
    "copy": lambda s: s.copy(),
    "stack": lambda s: hs.stack([s, s]),
    "stack along time": lambda s: hs.stack([s, s], axis="time"),
    "astype": lambda s: _changed(s, lambda c: c.change_dtype("float64")),
    "crop": lambda s: _changed(s, lambda c: c.crop(-1, 2, 8)),
    "roi": lambda s: hs.roi.RectangularROI(0.04, 0.04, 0.4, 0.4)(s),
    "map": lambda s: s.map(np.negative, inplace=False),
}


def _changed(signal, change):
    copy = signal.deepcopy()
    change(copy)
    return copy


@both
@images
@pytest.mark.parametrize("operation", OPERATIONS)
def test_class_survives(make, signal_type, lazy, operation):
    result = OPERATIONS[operation](make(signal_type, lazy))
    check(result, signal_type, lazy)
    assert isinstance(result.data, da.Array) is lazy
    assert [str(axis.units) for axis in result.axes_manager.signal_axes] == ["nm", "nm"]


@images
def test_lazy_and_back(make, signal_type):
    signal = make(signal_type, False)
    lazy = signal.as_lazy()
    check(lazy, signal_type, True)
    lazy.compute(show_progressbar=False)
    check(lazy, signal_type, False)
    np.testing.assert_array_equal(lazy.data, signal.data)


@both
@images
@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
@pytest.mark.parametrize("shape", NAVIGATION, ids=str)
def test_file_round_trip(make, tmp_path, signal_type, lazy, suffix, shape):
    if suffix == ".zspy":
        zarr = pytest.importorskip("zarr")
        if int(zarr.__version__.split(".")[0]) >= 3:
            pytest.skip("HyperSpy writes .zspy with zarr<3 only")
    signal = make(signal_type, lazy, shape)
    signal.metadata.General.title = "gold"
    signal.save(tmp_path / f"image{suffix}", show_progressbar=False)
    for load_lazily in (False, True):
        loaded = hs.load(tmp_path / f"image{suffix}", lazy=load_lazily)
        check(loaded, signal_type, load_lazily)
        np.testing.assert_array_equal(np.asarray(loaded.data), np.asarray(signal.data))
        assert loaded.metadata.General.title == "gold"
        for axis, original in zip(loaded.axes_manager._axes, signal.axes_manager._axes, strict=True):
            for name in ("name", "size", "scale", "offset", "units", "navigate"):
                assert getattr(axis, name) == getattr(original, name)


@both
def test_set_signal_type_of_a_table(lazy):
    rows = np.empty(2, dtype=object)
    rows[:] = [np.zeros(3, [("x", float)]), np.zeros(0, [("x", float)])]
    table = BaseSignal(rows, ragged=True)
    table = table.as_lazy() if lazy else table
    table.set_signal_type("particle_table")
    module = importlib.import_module("particlespy_ml.signals.particle_table")
    assert type(table) is (module.LazyParticleTable if lazy else module.ParticleTable)
    assert "particle_table" in repr(table) or "ParticleTable" in repr(table)


@pytest.mark.parametrize(
    "signal", [Signal1D(np.zeros((3, 8))), Signal2D(np.zeros((8, 8), complex))], ids=["spectrum", "complex"]
)
def test_what_is_no_image_does_not_become_one(signal):
    signal.set_signal_type("HAADF")
    assert not hasattr(signal, "classify_particles")
