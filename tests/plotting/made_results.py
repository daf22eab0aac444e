"""Results of every kind, made without what would find them: ordinary ones and those with little to draw."""

import ast
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from hyperspy.signals import Signal2D

import particlespy_ml
from particlespy_ml.columns.rows import column_dtype, column_units
from particlespy_ml.dynamics import TemperatureSeries, Transitions
from particlespy_ml.dynamics.barriers import ArrheniusFit
from particlespy_ml.dynamics.rates import RateFit
from particlespy_ml.plotting.columns import plot_atoms
from particlespy_ml.reconstruction import Reconstruction
from particlespy_ml.simulation.recording.compare import Comparison
from particlespy_ml.tables.dataframe import with_column
from particlespy_ml.tables.table import make_table, object_array

SHAPE = (40, 50)
# names that matplotlib would take for formulas, broken ones too, or leave out of legends; and one without an end
ODD = ("_hidden", "$x_{$", "a_b^c $", "a very long name " * 9)


def made_transitions(rates, occupation, names):
    rates, k = np.asarray(rates, float), len(names)
    fit = RateFit(rates, rates * 0.7, rates * 1.5, 0.95, np.abs(rates) * 9, occupation, np.full(k, 1 / k), 0.5, -1.0)
    return Transitions(names, fit)


def made_temperatures(values, errors=0.2, covariance=0.01, kelvin=(500.0, 550.0, 600.0)):
    values = np.atleast_2d(np.asarray(values, float))
    fit = ArrheniusFit(1.0, (0.9, 1.1), 20.0, (18.0, 22.0), 1.0, 0.95, np.diag([covariance, covariance]), 2.0)
    pairs = ((0, 1), (1, 0))[: len(values)]
    shape = values.shape
    return TemperatureSeries(
        "barriers", ODD[:2], np.array(kelvin), pairs, values, np.full(shape, errors), (fit,) * len(values)
    )


def made_reconstruction(volume, correlation=None, resolution=0.24):
    volume = np.asarray(volume, np.float32)
    edge = len(volume)
    axes = [
        {"name": n, "size": edge, "scale": 0.1, "offset": -0.05 * edge, "units": "nm", "navigate": n == "z"}
        for n in "zyx"
    ]
    correlation = np.linspace(1, 0, edge // 2 + 1) if correlation is None else correlation
    frequency = np.arange(edge // 2 + 1) / (0.1 * edge)
    fsc = pd.DataFrame({"frequency": frequency, "correlation": correlation})
    signal = Signal2D(volume, axes=axes)
    return Reconstruction(signal, signal, fsc, resolution, pd.DataFrame(), "C1", pd.DataFrame())


def made_columns(counts=(), flags=0, counted=True, probability=0.9, frames=1):
    """Columns in a row, of as many atoms each; a count of -1 is none."""
    counts = np.asarray(counts, int)
    extra = [("count", "i4"), ("probability", "f8"), ("expected_count", "f8")] if counted else []
    rows = np.zeros(len(counts), [*column_dtype().descr, *extra])
    rows["x"], rows["y"] = 0.3 + 0.2 * np.arange(len(counts)), 0.5
    rows["volume"] = np.maximum(counts, 1) + 0.01 * np.sin(np.arange(len(counts)))
    rows["volume_error"], rows["width"], rows["flags"] = 0.01, 0.05, flags
    if counted:
        rows["count"], rows["expected_count"] = counts, np.where(counts < 0, np.nan, counts)
        rows["probability"] = np.where(counts < 0, np.nan, probability)
    grid = {"shape": list(SHAPE), "scale": [0.04, 0.04], "offset": [0.0, 0.0], "units": "nm", "direction": [1, 1]}
    units = {**column_units("nm"), **{name: "" for name, _ in extra}}
    axis = {"name": "time" if frames > 1 else "image", "size": frames, "navigate": True}
    data = object_array([rows, *[rows[:0]] * (frames - 1)], (frames,))
    return make_table(data, [axis], units, {"image": grid}, kind="column_table")


def made_strain(across=5, down=4, stretch=0.02, turn=7.0, errors=0.002, frames=1, template="square"):
    """Columns of a square lattice that is stretched along x and turned, with their strain."""
    table = made_columns(np.zeros(across * down, int), counted=False, frames=frames)
    rows = table.data[0]
    sites = np.array([(a, b) for b in range(down) for a in range(across)], float).reshape(-1, 2)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    places = 0.2 * sites @ np.array([[c, s], [-s, c]]) * [1 + stretch, 1] + [0.5, 0.4]
    rows["x"], rows["y"] = places.T
    rows["x_error"] = rows["y_error"] = 0.2 * errors
    rows["site_a"], rows["site_b"] = sites.astype(int).T
    return table.measure_strain(template, scale=0.2)


def made_clusters(clusters=2, parameters=None, **curves):
    """A table of which only what its clusters stand on is drawn."""
    record = {"method": "any", "n_clusters": clusters, "parameters": parameters or {}, **curves}
    table = make_table(object_array([np.zeros(0, [("x", "f8")])], (1,)), [{"size": 1, "navigate": True}], {"x": ""}, {})
    table.metadata.set_item("particlespy_ml.clustering", record)
    return table


def reach(values, labels):
    return {"reachability": values, "labels": labels, "order": list(range(len(values)))}


def score(numbers, values, name="gap"):
    return {"name": name, "numbers": numbers, "scores": values}


class Atoms:
    """As much of ASE's atoms as a figure needs."""

    def __init__(self, positions):
        self.positions = positions

    def __len__(self):
        return len(self.positions)


def ball(edge=12):
    axis = np.arange(edge) - edge // 2
    return (np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) < edge / 4).astype(float)


def steps(values, name="temperature", classes=("icosahedron", "$x_{$"), corrected=None):
    rows = [
        {name: value, "class": c, "fraction": f, "low": f, "high": f}
        for value in values
        for c, f in zip(classes, (0.2, np.nan), strict=False)
    ]
    return pd.DataFrame(rows, columns=[name, "class", "fraction", "low", "high"])


def classify(table, classes, cycle):
    """Give particles classes in turn; undefined ones, of -1, have no probabilities."""
    counts = [len(rows) for rows in table.data.ravel()]
    index = np.resize(cycle, sum(counts)).astype(int)
    parts = np.split(index, np.cumsum(counts)[:-1])
    values = {"class_index": (parts, "i1"), "probability": ([np.where(p < 0, np.nan, 0.75) for p in parts], "f4")}
    for number, name in enumerate(classes):
        shares = [np.where(p < 0, np.nan, np.where(p == number, 0.75, 0.25 / (len(classes) - 1))) for p in parts]
        values[f"probability_{name}"] = (shares, "f4")
    for name, (value, dtype) in values.items():
        table = with_column(table, name, value, dtype, "")
    table.metadata.set_item("particlespy_ml.classes", list(classes))
    return table


def made_surface(states, paths=None):
    """A result of surface dynamics whose states are known, shape (S, T); sites lie in a row."""
    from particlespy_ml.core.calibration import PixelGrid
    from particlespy_ml.dynamics.surface import SurfaceDynamics

    count, frames = states.shape
    full = states[..., None] == np.arange(2)
    steps = np.zeros((count, frames - 1, 2, 2))
    for i, j in ((0, 1), (1, 0)):
        steps[..., i, j] = (states[:, :-1] == i) & (states[:, 1:] == j)
    number, changes = np.arange(count), (np.diff(states, axis=1) != 0).sum(1)
    sites = {name: np.zeros(count, int) for name in ("coordination", "layer", "facet")}
    sites |= {"site": number, "track": number, "x": 0.4 + 0.25 * number, "y": np.full(count, 0.5)}
    sites |= {"contrast_off": np.zeros(count), "contrast_on": np.ones(count), "separation": np.full(count, 6.0)}
    sites["change"] = np.where(changes > 0, "column", "none")
    return SurfaceDynamics(
        sites=sites,
        times=np.arange(frames, dtype=float),
        used=np.ones(frames, bool),
        timed=False,
        probability=full.astype(float),
        raw=states,
        occupancy=states.mean(1, keepdims=True) if paths is None else paths.occupancy,
        changes=changes[:, None] if paths is None else paths.changes,
        rates=np.full((count, 1, 2, 2), 0.1) if paths is None else paths.rates,
        steps=steps,
        neighbours=np.column_stack([number[:-1], number[1:]]),
        grid=PixelGrid((40, 120), (0.025, 0.025), (0.0, 0.0), "nm"),
        frames=np.arange(frames),
        motions=(None,) * frames,
    )


def all_figures():
    """Functions, and methods of tables, images and results, that draw: names "plot", "plot_..." and "to_markers".

    Module and name of each; the functions in other modules that are methods as they are do not count twice.
    """
    root = Path(particlespy_ml.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        module = ".".join(path.relative_to(root.parent).with_suffix("").parts)
        nodes = ast.walk(ast.parse(text)) if "def plot" in text or "def to_markers" in text else ()
        for node in nodes:
            for part in node.body if isinstance(node, (ast.Module, ast.ClassDef)) else []:
                if isinstance(part, ast.FunctionDef) and (part.name.startswith("plot") or part.name == "to_markers"):
                    found.append((module, f"{node.name}.{part.name}" if isinstance(node, ast.ClassDef) else part.name))
    return found


def of_columns(draw, *values):
    """A figure of the columns of every frame, over images of these values or, for None, none."""

    def all_images(table):
        shape = (*(table.data.shape if table.data.size > 1 else ()), *SHAPE)
        for frame, value in itertools.product(range(table.data.size), values):
            signal = None if value is None else Signal2D(np.full(shape, value))
            if signal is not None:
                signal.axes_manager.signal_axes.set(scale=0.04, units="nm")
            draw(table, signal, frame)

    return all_images


def strain_maps(table, image, frame):
    table.plot_strain(image, index=frame, interpolated=image is not None)


def both_colours(model):
    plot_atoms(model)
    plot_atoms(model, "height")


def sites_of(count):
    """A movie of so many sites, of which every other one changes."""
    return made_surface(np.array([np.arange(20) // (3 + k) % 2 if k % 2 else np.ones(20, int) for k in range(count)]))


def over_an_image(found):
    image = Signal2D(np.random.default_rng(0).random((40, 120)))
    image.axes_manager.signal_axes.set(scale=0.025, units="nm")
    found.plot_occupancy(image)


SITES = {f"{n} sites": (sites_of(n), None) for n in (2, 4)}
TREE = [[0.0, 1.0, 0.0, 2.0], [2.0, 3.0, 0.0, 3.0]]
HALF = [[-1.0, 1.0], [0.5, -0.5]]
UNKNOWN = [[np.nan, np.nan], [0.5, -0.5]]


def correlated_columns(count):
    """Columns of a comparison of a model and an image."""
    places = np.random.default_rng(count).uniform(3, 17, (count, 2))
    return pd.DataFrame({"row": places[:, 0], "column": places[:, 1], "correlation": np.linspace(-0.2, 0.9, count)})


def made_comparison(measured, simulated):
    """How two images agree."""
    told = {"correlation": 0.9, "r_factor": 0.1, "model": 0, "defocus": -60.0, "defocus_error": 1.0, "tilt": 0.0}
    told |= {"azimuth": 0.0, "shift": (0.0, 0.0), "scale": 1.0, "offset": 0.0, "pixel_size": 0.02, "at_limit": ()}
    return Comparison(
        **told, columns=correlated_columns(3), tries=pd.DataFrame(), measured=measured, simulated=simulated
    )
