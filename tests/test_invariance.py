"""What must not matter: the same sample gives the same results, however its image is stored.

Every public method of the images and tables has a row here, or a reason why not. A row runs the verb on an image, or a
table, and returns numbers in nm and degrees. Ways to store it change the pixels and axes, but not the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

import particlespy_ml as pml
from particlespy_ml.core.calibration import NANOMETRES, axis_directions
from particlespy_ml.core.frames import ascending
from particlespy_ml.signals.column_table import ColumnTable
from particlespy_ml.signals.haadf import HAADFImage
from particlespy_ml.signals.hrtem import HRTEMImage
from particlespy_ml.signals.particle_image import ParticleImage
from particlespy_ml.signals.particle_table import ParticleTable
from particlespy_ml.tables.table import make_table, object_array

PIXEL = 0.05  # nm
LEVEL = 60  # counts that part the particles from what surrounds them


@dataclass(frozen=True)
class Stored:
    """An image as it is stored: where its origin is in nm, and which of the sample's frames it holds in which order."""

    image: object
    origin: tuple[float, float] = (0.0, 0.0)
    frames: tuple[int, ...] | None = None

    @property
    def nm(self) -> float:
        """The unit of the image in nm."""
        return NANOMETRES[str(self.image.axes_manager.signal_axes[0].units)]

    def data(self, signal=None) -> np.ndarray:
        """Pixels as they are along ascending axes."""
        signal = self.image if signal is None else signal
        return np.asarray(ascending(np.asarray(signal.data), axis_directions(signal)), float)


# --- samples: whole numbers up to 250, which every dtype holds ---


def signal_of(data, signal_type="HAADF", pixel=PIXEL):
    from hyperspy.signals import Signal2D

    signal = Signal2D(np.asarray(data, float))
    signal.axes_manager.signal_axes.set(scale=pixel, units="nm")
    for axis, name in zip(signal.axes_manager.signal_axes, "xy", strict=True):
        axis.name = name
    signal.set_signal_type(signal_type)
    return signal


ELLIPSES = ((28, 30, 13, 7, 20), (54, 58, 11, 8, 110), (24, 76, 9, 7, 60))  # row, column, half axes, angle


def particles():
    """Three frames of turned ellipses far from the border, on noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:80, :100].astype(float)
    frames = []
    for number in range(3):
        frame = np.zeros(rows.shape)
        for row, column, a, b, turn in ELLIPSES[: 3 - number % 2]:
            t = np.deg2rad(turn + 25 * number)
            u = (columns - column - 2 * number) * np.cos(t) + (rows - row) * np.sin(t)
            v = (rows - row) * np.cos(t) - (columns - column - 2 * number) * np.sin(t)
            frame += 100 * (np.hypot(u / a, v / b) < 1) * (1 + 0.3 * u / a)
        frames.append(20 + gaussian_filter(frame, 1) + rng.normal(0, 1.5, frame.shape))
    return signal_of(np.rint(frames))


def stack():
    """Six images of an asymmetric particle, turned and moved."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:28, :28] - 14.0
    images = []
    for turn in rng.uniform(0, 360, 6):
        t = np.deg2rad(turn)
        moved = rng.uniform(-1, 1, 2)
        u = (columns - moved[0]) * np.cos(t) + (rows - moved[1]) * np.sin(t)
        v = (rows - moved[1]) * np.cos(t) - (columns - moved[0]) * np.sin(t)
        image = 150 * np.exp(-((u + 3) ** 2 + v**2) / 16) + 120 * np.exp(-((u - 5) ** 2 + (v - 2) ** 2) / 8)
        images.append(30 + image + rng.normal(0, 2, image.shape))
    signal = signal_of(np.rint(images))
    signal.axes_manager.signal_axes.set(offset=-14 * PIXEL)
    return signal


ROTATIONS = Rotation.random(10, random_state=0).as_matrix()


def projections():
    """Ten projections of points whose rotations are known."""
    points = np.random.default_rng(3).uniform(-4, 4, (7, 3))
    points -= points.mean(0)
    axis = np.arange(24) - 12
    turned = np.einsum("nij,pj->npi", ROTATIONS, points)
    x, y = (np.exp(-((axis - turned[..., i : i + 1]) ** 2) / 5) for i in range(2))
    images = np.einsum("npy,npx->nyx", y, x)
    signal = signal_of(np.rint(20 + 200 * images / images.max()))
    signal.axes_manager.signal_axes.set(offset=-12 * PIXEL)
    return signal


def columns(edge=3, pixel=0.02):
    """Two frames of a small particle on a zone axis, seen with little noise."""
    from particlespy_ml.columns.fit.refine import gaussian_columns

    rng = np.random.default_rng(0)
    across = np.arange(edge) - (edge - 1) / 2
    rows, cols = (g.ravel() for g in np.meshgrid(across, across, indexing="ij"))
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    positions = 9.8 * np.column_stack([rows, cols]) @ turn.T + 30
    counts = 4 - np.rint(np.hypot(*(positions - 30).T) / 9.8)
    frame = gaussian_columns((60, 64), positions, 900.0 * counts, 2.1, background=12)
    return signal_of(np.rint(np.clip([frame + rng.normal(0, 1, frame.shape) for _ in range(2)], 0, 250)), pixel=pixel)


SAMPLES = {"particles": particles, "stack": stack, "projections": projections, "columns": columns}


# --- ways to store them ---


def as_is(signal):
    return Stored(signal)


def flipped(where):
    return lambda signal: Stored(signal.isig[where])


def moved(distance):
    def move(signal):
        for axis in signal.axes_manager.signal_axes:
            axis.offset += distance
        return Stored(signal, (distance, distance))

    return move


def cast(dtype):
    def store(signal):
        signal.data = signal.data.astype(dtype)
        return Stored(signal)

    return store


def in_unit(unit):
    def store(signal):
        for axis in signal.axes_manager.signal_axes:
            axis.scale, axis.offset, axis.units = axis.scale / NANOMETRES[unit], axis.offset / NANOMETRES[unit], unit
        return Stored(signal)

    return store


def lazily(chunks=None):
    def store(signal):
        signal = signal.as_lazy()
        if chunks is not None:
            signal.data = signal.data.rechunk(chunks)
        return Stored(signal)

    return store


def some_frames(*numbers):
    return lambda signal: Stored(stacked(signal, numbers), frames=numbers)


def stacked(signal, numbers):
    picked = signal.inav[: len(numbers)]
    picked.data = np.asarray(signal.data)[list(numbers)]
    return picked


def rolled(signal):
    signal.data = np.roll(signal.data, (4, -7), axis=(-2, -1))
    scale = signal.axes_manager.signal_axes[0].scale
    return Stored(signal, (-7 * scale, 4 * scale))


def padded(value):
    def pad(signal):
        scale = signal.axes_manager.signal_axes[0].scale
        data = np.pad(signal.data, [(0, 0)] * (signal.data.ndim - 2) + [(9, 6), (5, 12)], constant_values=value)
        result = signal_of(data, signal.metadata.Signal.signal_type, scale)
        for axis, old, width in zip(
            result.axes_manager.signal_axes, signal.axes_manager.signal_axes, (5, 9), strict=True
        ):
            axis.offset = old.offset - width * scale
        return Stored(result)

    return pad


FLIPS = {
    "x backwards": flipped(np.s_[::-1, :]),
    "y backwards": flipped(np.s_[:, ::-1]),
    "both backwards": flipped(np.s_[::-1, ::-1]),
}
# name, way, relative tolerance: of lengths, areas, intensities and angles
EXACT = {
    **FLIPS,
    "offset": moved(1e6),
    **{str(np.dtype(kind)): cast(kind) for kind in ("u1", "u2", "f2", "f4", ">u2", ">f4")},
    **{unit: in_unit(unit) for unit in ("Å", "pm", "µm")},
    "lazy": lazily(),
    "lazy, frames apart": lazily((1, -1, -1)),
    "lazy, frames in pieces": lazily((2, 15, 17)),
}
ORDERS = {"reversed": some_frames(2, 1, 0), "first alone": some_frames(0), "last alone": some_frames(2)}
SHIFTS = {"shifted": rolled}
PADDINGS = {"zeros around": padded(0), "a constant around": padded(40)}


# --- rows: verbs of images ---


def by_frame(stored: Stored, values: list[dict]) -> dict:
    """Values of each frame by the frame's number in the sample."""
    numbers = range(len(values)) if stored.frames is None else stored.frames
    return {f"{name} of frame {n}": v for n, frame in zip(numbers, values, strict=True) for name, v in frame.items()}


LENGTHS = ("equivalent_circular_diameter", "major_axis_length", "minor_axis_length", "perimeter", "bbox_length")
NUMBERS = ("circularity", "eccentricity", "solidity", "intensity", "intensity_max", "intensity_mean", "background")


def of_tables(stored: Stored, table, names=()) -> dict:
    frames = []
    for rows in table.data.ravel():
        rows = rows[np.argsort(rows["x"])]
        frame = {
            "x": rows["x"] * stored.nm - stored.origin[0],
            "y": rows["y"] * stored.nm - stored.origin[1],
            "area": rows["area"] * stored.nm**2,
            # an angle of an axis: both of its ends
            "orientation": np.column_stack([f(2 * np.deg2rad(rows["orientation"])) for f in (np.cos, np.sin)]),
            **{name: rows[name] * stored.nm for name in LENGTHS},
            **{name: rows[name] for name in (*NUMBERS, *names)},
        }
        frames.append(frame)
    return by_frame(stored, frames)


def mask_of(stored: Stored) -> np.ndarray:
    return np.asarray(stored.image.data) > LEVEL


def table_of(stored: Stored):
    table = stored.image.measure_particles(mask_of(stored), lazy_output=False)
    return table


def segment(stored, model):
    labels = stored.image.segment_particles()
    labels = labels.data.compute() if labels._lazy else labels.data
    table = stored.image.measure_particles(labels, lazy_output=False)
    return of_tables(stored, table)


def measure(stored, model):
    return of_tables(stored, stored.image.measure_particles(lazy_output=False))


def measure_a_mask(stored, model):
    return of_tables(stored, table_of(stored))


def measure_outlines(stored, model):
    frames = []
    for rows in table_of(stored).data:
        rows = rows[np.argsort(rows["x"])]
        outline = np.asarray(rows["outline"], float) * stored.nm - stored.origin
        frames.append({"outline": outline})
    return by_frame(stored, frames)


def measure_hrtem(stored, model):
    stored.image.set_signal_type("HRTEM")
    return of_tables(stored, stored.image.measure_particles(method="otsu", min_size=20, lazy_output=False))


def classify(stored, model):
    table = stored.image.classify_particles(model, labels=mask_of(stored), lazy_output=False)
    return of_tables(stored, table, [f"probability_{name}" for name in table.classes])


def extract(stored, model):
    stack = stored.image.extract_particles(table_of(stored), box="24 px", lazy_output=False)
    axes = [np.sort(axis.axis) * stored.nm for axis in stack.axes_manager.signal_axes]
    order = np.lexsort([table_of(stored)["x"], table_of(stored).to_dataframe()["frame"]])
    return {"pixels": stored.data(stack)[order], "x": axes[0], "y": axes[1]} if stored.frames is None else {}


def align(stored, model):
    aligned = stored.image.align(mirror=True, iterations=3, lazy_output=False)
    record = aligned.metadata.particlespy_ml.alignment
    turned = np.exp(1j * np.deg2rad(np.asarray(record.angles)))
    return {
        "angles": np.column_stack([turned.real, turned.imag]),
        "shift_x": np.asarray(record.shift_x) * stored.nm,
        "shift_y": np.asarray(record.shift_y) * stored.nm,
        "mirrored": np.asarray(record.mirrored, float),
        "scores": record.scores,
        "pixels": stored.data(aligned),
    }


def class_averages(stored, model):
    means = stored.image.class_averages(by=[0, 0, 0, 1, 1, -1], iterations=2)
    return {
        "pixels": stored.data(means),
        "x": np.sort(means.axes_manager.signal_axes[0].axis) * stored.nm - stored.origin[0],
    }


def reconstruct(stored, model):
    found = stored.image.reconstruct(poses=ROTATIONS, diameter=0.8 / stored.nm, show_progressbar=False)
    return {"volume": found.volume.data, "resolution": [found.resolution * stored.nm]}


def reconstruct_from_a_model(stored, model):
    volume = stored.image.reconstruct(poses=ROTATIONS, diameter=0.8 / stored.nm, show_progressbar=False).volume
    found = stored.image.reconstruct(volume, max_iterations=0, diameter=0.8 / stored.nm, show_progressbar=False)
    return {"rotations": found.rotations, "shift_x": found.poses["shift_x"].to_numpy() * stored.nm}


def save_star(stored, model, folder):
    stored.image.save_star(folder / "a.star", diameter=0.8 / stored.nm, overwrite=True)
    found, _ = pml.load_star(folder / "a.star", lazy=False)
    return {"pixels": found.data, "pixel": [found.axes_manager.signal_axes[0].scale]}


def save(stored, model, folder):
    import hyperspy.api as hs

    stored.image.save(folder / "a.hspy", overwrite=True)
    found = Stored(hs.load(folder / "a.hspy"), stored.origin, stored.frames)
    return of_tables(found, table_of(found))


def find_zone_axis(stored, model):
    table = stored.image.find_zone_axis(lattice_constant=0.02 * 9.8 * 2 / stored.nm, lazy_output=False)
    lengths = ("a_x", "a_y", "b_x", "b_y", "lattice_constant")
    frames = [
        {"score": rows["zone_axis_score"], **{name: rows[name] * stored.nm for name in lengths}}
        for rows in table.data.ravel()
    ]
    return by_frame(stored, frames)


def of_columns(stored: Stored, table) -> dict:
    frames = []
    for rows in table.data.ravel():
        frame = {
            "x": np.sort(rows["x"] * stored.nm - stored.origin[0]),
            "y": np.sort(rows["y"] * stored.nm - stored.origin[1]),
            "volume": np.sort(rows["volume"] * stored.nm**2),
            "width": np.sort(rows["width"] * stored.nm),
        }
        frames.append(frame)
    return by_frame(stored, frames)


def find_columns(stored, model):
    return of_columns(stored, stored.image.find_columns(lazy_output=False))


def find_columns_in_series(stored, model):
    table = stored.image.find_columns_in_series()
    table.compute() if table._lazy else None
    return of_columns(stored, table)


def train_segmentation(stored, model):
    image = stored.image.inav[0]
    image.compute() if image._lazy else None
    mask = np.asarray(image.data) > LEVEL
    painted = np.zeros(mask.shape, int)
    painted[mask], painted[np.asarray(image.data) < 30] = 2, 1
    trained = image.train_segmentation(painted)
    labels = image.segment_particles(trained)
    return {"pixels": [int((labels.data > 0).sum())]}


@dataclass(frozen=True)
class Row:
    """A verb, the sample that it is run on, and the ways to store it that must not matter."""

    verb: str
    run: Callable
    sample: str
    ways: dict
    tolerance: float = 1e-5
    files: bool = False


ONCE = {name: EXACT[name] for name in ("both backwards", "offset", ">u2", "float16", "Å", "lazy, frames in pieces")}
FEW = {name: EXACT[name] for name in ("both backwards", "offset", ">u2", "lazy, frames in pieces")}
ROWS = (
    Row("segment_particles", segment, "particles", {**EXACT, **ORDERS}),
    Row("measure_particles", measure, "particles", {**EXACT, **ORDERS}),
    Row("measure_particles of a mask", measure_a_mask, "particles", {**ONCE, **FLIPS, **ORDERS, **SHIFTS, **PADDINGS}),
    Row("measure_particles of HRTEM images", measure_hrtem, "particles", ONCE),
    Row(
        "measure_particles outlines",
        measure_outlines,
        "particles",
        {**ONCE, **FLIPS, **ORDERS, **SHIFTS, **PADDINGS},
        2e-3,
    ),
    Row("classify_particles", classify, "particles", {**EXACT, **ORDERS, **SHIFTS}, 1e-3),
    Row("extract_particles", extract, "particles", {**EXACT, **SHIFTS, **PADDINGS}),
    Row("save", save, "particles", ONCE, files=True),
    Row("train_segmentation", train_segmentation, "particles", FEW, 0.02),
    Row("align", align, "stack", EXACT, 1e-3),
    Row("class_averages", class_averages, "stack", EXACT, 1e-3),
    Row("reconstruct", reconstruct, "projections", ONCE, 1e-3),
    Row(
        "reconstruct from a model",
        reconstruct_from_a_model,
        "projections",
        {n: EXACT[n] for n in ("x backwards", "Å")},
        1e-3,
    ),
    Row("save_star", save_star, "projections", ONCE, 1e-4, files=True),
    Row("find_zone_axis", find_zone_axis, "columns", {**EXACT, "last alone": some_frames(1)}, 1e-4),
    Row("find_columns", find_columns, "columns", {**ONCE, "last alone": some_frames(1)}, 1e-3),
    Row("find_columns_in_series", find_columns_in_series, "columns", FEW, 1e-3),
)
# whole images are segmented and columns are found at the borders too: these see where the border is
ROUGH = (
    Row("segment_particles", segment, "particles", {**SHIFTS, **PADDINGS}, 0.03),
    Row("measure_particles", measure, "particles", {**SHIFTS, **PADDINGS}, 0.03),
    Row("find_zone_axis", find_zone_axis, "columns", {**SHIFTS, **PADDINGS}, 0.03),
    Row("find_columns", find_columns, "columns", {**SHIFTS, **PADDINGS}, 0.01),
    Row("find_columns_in_series", find_columns_in_series, "columns", {**SHIFTS, **PADDINGS}, 0.01),
)


def cases(rows):
    for row in rows:
        for name, way in row.ways.items():
            yield pytest.param(row, way, id=f"{row.verb}-{name}")


@pytest.fixture(scope="module")
def model(model_folder):
    return pml.load_model(model_folder)


@pytest.fixture(scope="module")
def expected(model, tmp_path_factory):
    """A function that returns what a row gives as the sample is, run once."""
    known = {}

    def of(row: Row) -> dict:
        if (row.run, row.sample) not in known:
            folder = {"folder": tmp_path_factory.mktemp("as_is")} if row.files else {}
            known[row.run, row.sample] = row.run(as_is(SAMPLES[row.sample]()), model, **folder)
        return known[row.run, row.sample]

    return of


def check(row: Row, way, expected, model, tmp_path) -> None:
    stored = way(SAMPLES[row.sample]())
    found = row.run(stored, model, **({"folder": tmp_path} if row.files else {}))
    wanted = expected(row)
    assert found and set(found) <= set(wanted)
    for name, values in found.items():
        one, other = np.asarray(values, float), np.asarray(wanted[name], float)
        assert one.shape == other.shape, f"{name}: {one.shape} instead of {other.shape}"
        size = np.nanmax(np.abs(other), initial=0)
        np.testing.assert_allclose(one, other, rtol=row.tolerance, atol=row.tolerance * size, err_msg=name)


@pytest.mark.parametrize(("row", "way"), cases(ROWS))
def test_images(row, way, expected, model, tmp_path):
    check(row, way, expected, model, tmp_path)


@pytest.mark.parametrize(("row", "way"), cases(ROUGH))
def test_images_with_borders(row, way, expected, model, tmp_path):
    check(row, way, expected, model, tmp_path)


def test_swapped_axes_swap_x_and_y():
    swapped = particles().transpose(signal_axes=["y", "x"])
    swapped.set_signal_type("HAADF")
    one, other = (table_of(Stored(signal)) for signal in (particles(), swapped))
    for rows, found in zip(one.data, other.data, strict=True):
        rows, found = rows[np.argsort(rows["x"])], found[np.argsort(found["y"])]
        for name in ("area", "major_axis_length", "minor_axis_length", "intensity", "background"):
            np.testing.assert_allclose(found[name], rows[name], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(found["x"], rows["y"])
        np.testing.assert_allclose(found["y"], rows["x"])
        np.testing.assert_allclose((found["orientation"] + rows["orientation"]) % 180, 90, atol=1e-6)


# --- rows: verbs of tables ---


def measured(classes=True):
    """The table of the particles, tracked and, where asked, with classes."""
    table = particles().measure_particles(np.asarray(particles().data) > LEVEL).track_particles()
    return table.as_classes("label", ["one", "two", "three"]) if classes else table


def of_frame(frame) -> dict:
    numbers = frame.select_dtypes("number")
    return {name: numbers[name].to_numpy() for name in numbers}


PARTICLE_ROWS = {
    "to_dataframe": lambda t: of_frame(t.to_dataframe()),
    "select": lambda t: of_frame(t.select("area > 0.3 and class != 'three'").to_dataframe()),
    "as_classes": lambda t: of_frame(t.as_classes("track").to_dataframe()),
    "class_fractions": lambda t: of_frame(t.class_fractions()),
    "merge_classes": lambda t: of_frame(t.merge_classes({"most": ("one", "two")}).to_dataframe()),
    "summary": lambda t: of_frame(t.summary()),
    "track_particles": lambda t: {"track": t.track_particles()["track"]},
    "measure_shape": lambda t: of_frame(t.measure_shape().to_dataframe()),
    "measure_shape with an image": lambda t: of_frame(t.measure_shape("radial", particles()).to_dataframe()),
    "cluster_particles": lambda t: {"cluster": t.cluster_particles(["area"], n_clusters=2, resamples=0)["cluster"]},
    "to_markers": lambda t: {"texts": [len(t.to_markers())]},
    "to_particle_list": lambda t: {"area": [p.properties["area"]["value"] for p in t.inav[0].to_particle_list().list]},
    "from_particle_list": lambda t: {
        "area": ParticleTable.from_particle_list(t.inav[0].to_particle_list(particles().inav[0]), particles().inav[0])[
            "area"
        ]
    },
    "save": lambda t, folder: of_frame(saved(t, folder).to_dataframe()),
}
MOVIE_ROWS = {
    "class_sequence": lambda t: of_frame(t.class_sequence()),
    "transitions": lambda t: of_frame(t.transitions().to_dataframe()),
    "free_energy_differences": lambda t: of_frame(t.free_energy_differences(300.0)),
}
COLUMN_ROWS = {
    "to_dataframe": lambda t: of_frame(t.to_dataframe()),
    "select": lambda t: of_frame(t.select("volume > 2").to_dataframe()),
    "describe_flags": lambda t: {"lengths": [len(text) for text in t.describe_flags()]},
    "frame": lambda t: {"x": t.frame(0)[0]["x"]},
    "count_atoms": lambda t: {"count": t.count_atoms()["count"]},
    "total_counts": lambda t: of_frame(t.total_counts()),
    "count_atoms_in_series": lambda t: {"count": t.count_atoms_in_series(LIBRARY)["count"]},
    "to_atoms": lambda t: {"positions": t.to_atoms("Pt", best=True).positions},
    "to_sublattice": lambda t: {"x": t.to_sublattice(columns().inav[0]).x_position},
    "from_sublattice": lambda t: {
        "x": t.from_sublattice(np.column_stack([t.frame(0)[0][k] for k in ("x", "y")]), columns().inav[0])["x"]
    },
    "save": lambda t, folder: of_frame(saved(t, folder).to_dataframe()),
}
LIBRARY = np.arange(1, 9) * 1.0


def saved(table, folder):
    import hyperspy.api as hs

    table.save(folder / "table.hspy", overwrite=True)
    return hs.load(folder / "table.hspy")


def column_table():
    """Two frames of columns of one to six atoms, one unit of volume each, which no verb need find first."""
    from particlespy_ml.columns.rows import column_dtype, column_units
    from particlespy_ml.core.calibration import pixel_grid

    rng = np.random.default_rng(0)
    grid = pixel_grid(columns())
    frames = []
    for _ in range(2):
        rows = np.zeros(36, column_dtype())
        a, b = (g.ravel() for g in np.meshgrid(np.arange(6), np.arange(6)))
        rows["x"], rows["y"], rows["site_a"], rows["site_b"] = 0.2 + 0.196 * a, 0.2 + 0.196 * b, a, b
        rows["volume"] = np.tile(np.arange(1, 7), 6) + rng.normal(0, 0.05, 36)
        rows["volume_error"], rows["width"], rows["significance"] = 0.05, 0.04, 50
        frames.append(rows)
    axes = [{"name": "time", "size": 2, "navigate": True}]
    record = {"image": grid.as_dict()}
    return make_table(object_array(frames, (2,)), axes, column_units("nm"), record, kind="column_table")


@pytest.fixture(scope="module")
def tables(make_movie):
    """A function that returns a table of a kind, made once."""
    made = {}

    def of(kind: str):
        if kind not in made:
            states = np.random.default_rng(0).integers(0, 2, (4, 30)).cumsum(1) // 7 % 2
            makers = {
                "particles": measured,
                "movie": lambda: make_movie(states),
                "columns": column_table,
                "counted columns": lambda: of("columns").count_atoms(),
            }
            made[kind] = makers[kind]()
        return made[kind]

    return of


def rechunked(table):
    table.data = table.data.rechunk(1)
    return table


COUNTED = ("total_counts", "to_atoms")


def table_cases():
    for kind, rows in (("particles", PARTICLE_ROWS), ("movie", MOVIE_ROWS), ("columns", COLUMN_ROWS)):
        for verb, run in rows.items():
            name = "counted columns" if verb in COUNTED else kind
            yield pytest.param(name, verb, run, id=f"{kind}.{verb}")


@pytest.mark.parametrize(("kind", "verb", "run"), table_cases())
def test_lazy_tables(kind, verb, run, tables, tmp_path):
    """Lazy, one frame a chunk."""
    table = tables(kind)
    folder = {"folder": tmp_path} if verb == "save" else {}
    one, other = run(table, **folder), run(rechunked(table.deepcopy().as_lazy()), **folder)
    assert one and set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_allclose(
            np.asarray(other[name], float), np.asarray(values, float), rtol=1e-9, atol=1e-12, err_msg=name
        )


# --- no verb without a row ---

NO_VERBS = {
    "classes",
    "columns",
    "units",
    "names",
    "codes",
    "n_rows",
    "n_particles",
    "n_columns",
    "grid",
    "class_names",
}


def public_methods(cls) -> set[str]:
    own = (base for base in cls.__mro__ if base.__module__.startswith("particlespy_ml"))
    return {name for base in own for name in vars(base) if not name.startswith(("_", "plot_"))}


@pytest.mark.parametrize("cls", [ParticleImage, HAADFImage, HRTEMImage])
def test_every_verb_of_images_has_a_row(cls):
    assert public_methods(cls) - {row.verb.split(" ")[0] for row in ROWS} == set()


@pytest.mark.parametrize(
    ("cls", "rows"), [(ParticleTable, {**PARTICLE_ROWS, **MOVIE_ROWS}), (ColumnTable, COLUMN_ROWS)]
)
def test_every_verb_of_tables_has_a_row(cls, rows):
    assert public_methods(cls) - {name.split(" ")[0] for name in rows} - NO_VERBS == set()
