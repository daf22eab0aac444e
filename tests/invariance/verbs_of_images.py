"""Rows: a verb of images, run on a stored sample, returns numbers in nm and degrees.

Every public method of the images has a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import particlespy_ml as pml
from tests.invariance.stored import EXACT, FLIPS, LEVEL, ORDERS, PADDINGS, ROTATIONS, SHIFTS, Stored, some_frames


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


def edit(stored, model):
    """The first particle of every frame cut, its lower half erased in part, and a new one painted."""
    labels = mask_of(stored)
    for k in range(len(stored.image)):

        def at(*points):
            return (np.array(points) + stored.origin) / stored.nm

        editor = stored.image.edit_labels(labels, k)
        number = editor.number_at(*at((1.63, 1.41))[0])
        editor.split(number, at((1.63, 0.3), (1.71, 2.6)))
        editor.erase(at((1.0, 1.87), (2.0, 1.87)), radius="2.2 px")
        editor.paint(at((2.31, 1.23), (2.92, 1.26), (2.71, 1.84)))
        labels = editor.labels
    return of_tables(stored, stored.image.measure_particles(labels, lazy_output=False))


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
    means = stored.image.class_averages([0, 0, 0, 1, 1, -1], iterations=2)
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


def find_columns_by_network(stored, model):
    stored.image.set_signal_type("HRTEM")
    frames = []
    for rows in stored.image.find_columns(lazy_output=False).data.ravel():
        rows = rows[np.argsort(rows["x"])]
        frame = {
            "x": np.sort(rows["x"] * stored.nm - stored.origin[0]),
            "y": np.sort(rows["y"] * stored.nm - stored.origin[1]),
            "error": np.sort(rows["x_error"] * stored.nm),
            "probability": np.sort(rows["probability"]),
            "height": np.sort(rows["expected_height"]),
        }
        frames.append(frame)
    return by_frame(stored, frames)


def find_heights(stored, model):
    """The two frames as a focal series of three, whatever they show."""
    import hyperspy.api as hs

    stored.image.set_signal_type("HRTEM")
    series = hs.stack([stored.image.inav[number] for number in (0, 1, 0)], show_progressbar=False)
    table = series.find_heights(0, register=None, lazy_output=False)
    (rows,) = table.data.ravel()
    values = {
        "x": np.sort(rows["x"] * stored.nm - stored.origin[0]),
        "y": np.sort(rows["y"] * stored.nm - stored.origin[1]),
        "height": np.sort(rows["expected_height"]),
    }
    return {f"{name} of the series": value for name, value in values.items()}


def map_columns(stored, model):
    stored.image.set_signal_type("HRTEM")
    maps = np.asarray(stored.image.map_columns(lazy_output=False).data)
    maps = maps.reshape(len(maps), -1, *maps.shape[-2:]).swapaxes(0, 1)
    return by_frame(stored, [{"mean": frame.mean((1, 2)), "largest": frame.max((1, 2))} for frame in maps])


def geometric_phase(stored, model):
    maps = np.asarray(stored.image.geometric_phase(width=0.6, lazy_output=False).data)
    maps = maps.reshape(len(maps), -1, *maps.shape[-2:]).swapaxes(0, 1)
    return by_frame(stored, [{"mean": np.nanmean(f, (1, 2)), "spread": np.nanstd(f, (1, 2))} for f in maps])


def find_columns_in_series(stored, model):
    table = stored.image.find_columns_in_series()
    table.compute() if table._lazy else None
    return of_columns(stored, table)


def track_columns(stored, model):
    table = stored.image.track_columns(lazy_output=False)
    frames = []
    for rows in table.data.ravel():
        frame = {
            "x": np.sort(rows["x"] * stored.nm - stored.origin[0]),
            "y": np.sort(rows["y"] * stored.nm - stored.origin[1]),
            "layer": np.sort(rows["layer"]),
        }
        frames.append(frame)
    return by_frame(stored, frames)


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
    Row("edit_labels", edit, "particles", {**ONCE, **FLIPS, **ORDERS, **SHIFTS, **PADDINGS}),
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
    Row("find_columns by a network", find_columns_by_network, "columns", FEW, 1e-3),
    Row("find_heights", find_heights, "columns", FEW, 1e-2),
    Row("map_columns", map_columns, "columns", FEW, 1e-3),
    Row("find_columns_in_series", find_columns_in_series, "columns", FEW, 1e-3),
    Row("track_columns", track_columns, "columns", FEW, 1e-2),
    Row("geometric_phase", geometric_phase, "columns", EXACT, 1e-3),
)


# whole images are segmented and columns are found at the borders too: these see where the border is
ROUGH = (
    Row("segment_particles", segment, "particles", {**SHIFTS, **PADDINGS}, 0.03),
    Row("measure_particles", measure, "particles", {**SHIFTS, **PADDINGS}, 0.03),
    Row("find_zone_axis", find_zone_axis, "columns", {**SHIFTS, **PADDINGS}, 0.03),
    Row("find_columns", find_columns, "columns", {**SHIFTS, **PADDINGS}, 0.01),
    Row("find_columns_in_series", find_columns_in_series, "columns", {**SHIFTS, **PADDINGS}, 0.01),
)


def public_methods(cls) -> set[str]:
    own = (base for base in cls.__mro__ if base.__module__.startswith("particlespy_ml"))
    return {name for base in own for name in vars(base) if not name.startswith(("_", "plot_"))}
