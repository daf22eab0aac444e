"""Fixtures that every test may use: images with known particles, and a small untrained model."""

import gc
import hashlib
import json
import os
import sys

import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# The same examples in every run, so that a clone passes as the original did; --hypothesis-seed=N draws others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

PIXEL = 0.04  # nm


def pytest_collection_finish():
    """What was imported stays: it is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


def disk_frame(centres, radii, shape=(128, 160), brightness=1.0, noise=0.02, seed=0, polarity=1):
    """A frame with blurred disks, given in pixels, on a background of 2."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    frame = np.full(shape, 2.0, np.float32)
    for (row, column), radius in zip(centres, radii, strict=True):
        distance = np.hypot(rows - row, columns - column)
        frame += polarity * brightness * np.clip((radius + 1 - distance) / 2, 0, 1)
    return frame + np.random.default_rng(seed).normal(scale=noise, size=shape).astype(np.float32)


def as_image(data, signal_type="HAADF", lazy=False, names=(), scale=PIXEL):
    """Data as a calibrated signal; *names* are those of the navigation axes in array order."""
    from hyperspy.signals import Signal2D

    signal = Signal2D(np.asarray(data))
    signal.axes_manager.signal_axes.set(scale=scale, units="nm")
    for axis, name in zip(signal.axes_manager.navigation_axes[::-1], names, strict=False):
        axis.name, axis.scale, axis.offset, axis.units = name, 0.5, 1.0, "s"
    signal.set_signal_type(signal_type)
    return signal.as_lazy() if lazy else signal


TWO = ([(40, 40), (80, 110)], [14, 20])


@pytest.fixture
def two_disks():
    """One image of two particles."""
    return as_image(disk_frame(*TWO))


@pytest.fixture
def series():
    """Three frames with two, no and one particle, along a time axis."""
    frames = [disk_frame(*TWO), disk_frame([], []), disk_frame([(60, 70)], [18])]
    return as_image(np.stack(frames), names=("time",))


@pytest.fixture
def grid():
    """A 2 x 2 grid of frames with differing numbers of particles."""
    frames = [disk_frame(*TWO), disk_frame([], []), disk_frame([(60, 70)], [18]), disk_frame(*TWO, seed=5)]
    return as_image(np.stack(frames).reshape(2, 2, 128, 160), names=("temperature", "time"))


@pytest.fixture(scope="session", autouse=True)
def no_progress_bars():
    """Progress bars wait for their next tick, which adds up over many small computations."""
    import hyperspy.api as hs

    hs.preferences.General.show_progressbar = False


@pytest.fixture(scope="session")
def same_rows():
    """A function that asserts that two tables hold the same rows, frame by frame and to the last bit."""

    def check(one, other):
        assert one.data.shape == other.data.shape
        for index in np.ndindex(*one.data.shape):
            assert one.data[index].dtype == other.data[index].dtype
            for name in one.data[index].dtype.names:  # NaN is NaN in columns alone
                np.testing.assert_array_equal(one.data[index][name], other.data[index][name], err_msg=name)
        assert one.units == other.units

    return check


@pytest.fixture(scope="session")
def add_classes():
    """A function that gives a table classes without a model: cycling through them, then undefined."""
    from particlespy_ml.tables.dataframe import with_column

    def classify(table, classes=("icosahedron", "amorphous")):
        counts = [len(rows) for rows in table.data.ravel()]
        index = np.arange(sum(counts)) % (len(classes) + 1)
        index[index == len(classes)] = -1
        parts = np.split(index, np.cumsum(counts)[:-1])
        table = with_column(table, "class_index", parts, "i1", "")
        table = with_column(table, "probability", [0.75 + 0 * part for part in parts], "f4", "")
        for number, name in enumerate(classes):
            values = [np.where(part == number, 0.75, 0.25) for part in parts]
            table = with_column(table, f"probability_{name}", values, "f4", "")
        table.metadata.set_item("particlespy_ml.classes", list(classes))
        return table

    return classify


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A small model with random weights and a card that fits it."""
    return write_model(tmp_path_factory.mktemp("models") / "random")


def write_model(folder, **changes):
    """Write a model with random weights; *changes* are made to its card."""
    import torch
    from safetensors.torch import save_file

    from particlespy_ml.models.networks import build_network

    torch.manual_seed(0)
    architecture = {"name": "pooled_resnet", "n_classes": 4, "widths": [8, 8, 8], "blocks": [1, 1, 1]}
    folder.mkdir(parents=True)
    save_file(build_network(architecture).state_dict(), folder / "model.safetensors")
    card = {
        "format_version": 1,
        "name": "random",
        "signal_type": "HAADF",
        "task": "isomer",
        "architecture": architecture,
        "classes": ["icosahedron", "decahedron", "cuboctahedron", "amorphous"],
        "pixel_size": {"value": 0.4, "unit": "Å"},
        "windows": [64, 96, 128],
        "pixel_size_range_angstrom": [0.05, 0.65],
        "diameter_range_nm": [0.9, 4.5],
        "temperature": 1.0,
        "min_probability": 0.0,
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        **changes,
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def write_finder(folder, **changes):
    """Write a model that finds particles, with random weights; *changes* are made to its card."""
    import torch
    from safetensors.torch import save_file

    from particlespy_ml.models.networks import build_network

    torch.manual_seed(0)
    architecture = {"name": "unet", "outputs": 2, "widths": [4, 8, 8]}
    folder.mkdir(parents=True)
    save_file(build_network(architecture).state_dict(), folder / "model.safetensors")
    card = {
        "format_version": 1,
        "name": "random-finder",
        "signal_type": "HRTEM",
        "task": "segmentation",
        "architecture": architecture,
        "pixel_size": {"value": 1.0, "unit": "Å"},
        "pixel_size_range_angstrom": [0.05, 2.0],
        "diameter_range_nm": [1.0, 12.0],
        "threshold": 0.5,
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        **changes,
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def make_finder(tmp_path):
    """A function that writes a model that finds particles, with random weights, and returns its folder."""
    return lambda name="finder", **changes: write_finder(tmp_path / name, **changes)


@pytest.fixture(scope="session")
def make_frame():
    """The function `disk_frame`."""
    return disk_frame


@pytest.fixture(scope="session")
def make_image():
    """The function `as_image`."""
    return as_image


@pytest.fixture
def make_model(tmp_path):
    """A function that writes a model with random weights into a new folder and returns it."""
    return lambda name="model", **changes: write_model(tmp_path / name, **changes)


@pytest.fixture(scope="session")
def make_movie():
    """A function that makes the tracked table of a movie from true states (S, T), seen with a known confusion.

    ``missing`` and ``undefined`` are pairs of (track, frame).
    """
    from particlespy_ml.tables.table import make_table, object_array

    def movie(states, accuracy=0.9, missing=(), undefined=(), seed=0, scale=0.5, units="s", known=True):
        names = ("icosahedron", "decahedron", "amorphous")[: max(2, states.max() + 1)]
        confusion = np.full((len(names),) * 2, (1 - accuracy) / (len(names) - 1))
        np.fill_diagonal(confusion, accuracy)
        rng = np.random.default_rng(seed)
        columns = [("track", "i4"), ("class_index", "i1"), ("probability", "f4")]
        columns += [(f"probability_{name}", "f4") for name in names]
        frames = []
        for frame in range(states.shape[1]):
            tracks = [track for track in range(len(states)) if (track, frame) not in missing]
            rows = np.zeros(len(tracks), columns)
            for row, track in zip(rows, tracks, strict=True):
                seen = rng.choice(len(names), p=confusion[states[track, frame]])
                outside = (track, frame) in undefined
                probabilities = np.where(outside, np.nan, confusion[:, seen])
                row["track"], row["class_index"] = track, -1 if outside else seen
                row["probability"] = probabilities[seen]
                for name, value in zip(names, probabilities, strict=True):
                    row[f"probability_{name}"] = value
            frames.append(rows)
        axis = {"name": "time", "size": len(frames), "scale": scale, "units": units, "navigate": True}
        record = {"classes": list(names)}
        if known:
            record["model"] = {"confusion_matrix": confusion.ravel().tolist()}
        return make_table(object_array(frames, (len(frames),)), [axis], {name: "" for name, _ in columns}, record)

    return movie


def column_image(edge=9, dose=1e4, seed=0, spacing=9.8, cross_section=0.0235, noise=True, tilt=0.2, scatter=0.0):
    """A square lattice of Gaussian columns that grow towards the middle: image in electrons, positions, counts.

    Pixels of 0.2 Å; the width of a column is 2.1 pixels.
    """
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:edge, :edge] - (edge - 1) / 2
    counts = np.maximum(np.rint(edge / 2 + 1 - np.hypot(rows, columns)), 0).astype(int).ravel()
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    positions = spacing * np.column_stack([rows.ravel(), columns.ravel()]) @ turn.T
    positions, counts = positions[counts > 0], counts[counts > 0]
    positions = positions - positions.min(0) + 25
    shape = tuple(np.ceil(positions.max(0) + 25).astype(int))
    volumes = cross_section * counts * dose * (1 + scatter * rng.normal(size=len(counts)))
    image = gaussian_columns(shape, positions, volumes, 2.1, background=0.002 * dose * 0.04)
    return (rng.poisson(image).astype(float) if noise else image), positions, counts


@pytest.fixture(scope="session")
def make_columns():
    """The function `column_image`."""
    return column_image


@pytest.fixture(autouse=True)
def no_figures_left():
    """Close what a test has drawn: others look at what they have left themselves."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


LONGEST = ("05_populations_in_3d", "02_isomers_in_a_movie")


def pytest_collection_modifyitems(items):
    """Run the notebooks first, the longest of them before all: the processes of pytest-xdist then end together."""

    def place(item) -> int:
        if "test_notebook[" not in item.nodeid:
            return len(LONGEST) + 1
        return next((k for k, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))

    items.sort(key=place)
