"""What all figures have in common: the names, the order and the effect of their options, and their colours."""

import importlib
import inspect
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hyperspy.signals import Signal2D
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.offsetbox import AnchoredOffsetbox

from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR
from particlespy_ml.plotting.column_fit import plot_column_fit
from particlespy_ml.plotting.columns import plot_atoms
from particlespy_ml.plotting.comparison import plot_comparison
from particlespy_ml.plotting.fractions import plot_fractions
from particlespy_ml.plotting.surface import plot_sites
from particlespy_ml.simulation.fit_columns import FittedColumns
from particlespy_ml.simulation.recording.optics import Optics
from tests.plotting.made_results import (
    SHAPE,
    Atoms,
    all_figures,
    ball,
    classify,
    correlated_columns,
    made_clusters,
    made_columns,
    made_comparison,
    made_reconstruction,
    made_strain,
    made_surface,
    made_temperatures,
    made_transitions,
    score,
    steps,
)

SIZE = (4.5, 3.75)
FIGURES = [(module, name) for module, name in all_figures() if name != "to_markers"]
# what a figure takes last, where this is not ax and figsize
LAST = {
    "plot_particles": ["figsize"],
    "plot_pairs": ["figsize"],
    "plot_comparison": ["figsize"],
    "Comparison.plot": ["figsize"],
    "plot_column_fit": ["figsize"],
    "FittedColumns.plot": ["figsize"],
    "plot_mixture": ["axes", "figsize"],
    "plot_scatter": ["cmap", "ax", "figsize"],
    "plot_atoms": ["cmap", "ax", "figsize"],
    "plot_sites": ["cmap", "ax", "figsize"],
    "plot_overlay": ["scale_bar", "cmap", "ax", "figsize"],
    "plot_columns": ["scale_bar", "cmap", "ax", "figsize"],
    "plot_counts": ["scale_bar", "cmap", "ax", "figsize"],
    "plot_strain": ["scale_bar", "cmap", "axes", "figsize"],
    "plot_strain_arrows": ["scale_bar", "cmap", "ax", "figsize"],
    "plot_montage": ["scale_bar", "cmap", "figsize"],
    "plot_populations": ["scale_bar", "cmap", "figsize"],
    "plot_slices": ["scale_bar", "cmap", "axes", "figsize"],
}
DEFAULTS = {"scale_bar": True, "ax": None, "axes": None, "figsize": None}


@pytest.mark.parametrize(("module", "name"), FIGURES)
def test_options_are_alike(module, name):
    figure = importlib.import_module(module)
    for part in name.split("."):
        figure = getattr(figure, part)
    options = {key: value.default for key, value in inspect.signature(figure).parameters.items() if key != "kwargs"}
    verb = name.split(".")[-1]
    last = LAST.get(name, LAST.get(verb, ["ax", "figsize"]))
    assert list(options)[-len(last) :] == last
    assert not {"cmap", *DEFAULTS} & set(list(options)[: -len(last)])
    maps = dict.fromkeys(("plot_scatter", "plot_atoms", "plot_strain", "plot_strain_arrows"))
    maps["plot_counts"] = "viridis"
    maps["plot_sites"] = "viridis"
    assert {key: options[key] for key in last} == {
        key: {**DEFAULTS, "cmap": maps.get(verb, "gray")}[key] for key in last
    }
    assert all(key in figure.__doc__ for key in last)


@pytest.fixture(scope="module")
def figures(make_frame, make_image):
    """Functions that draw each figure, by name."""
    image = make_image(make_frame([(13, 12), (27, 36)], [6, 9], shape=SHAPE))
    table = classify(image.measure_particles(np.asarray(image.data) > 2.5), ("a", "b"), (0, 1))
    frames = np.stack([make_frame([(20, 15)], [7], shape=SHAPE, seed=n) for n in range(3)])
    movie = classify(make_image(frames, names=("time",)).measure_particles(frames > 2.5), ("a", "b"), (0, 1))
    found, columns, strained = made_reconstruction(ball()), made_columns([1, 2, 3] * 5), made_strain()
    compared = dict(zip(("measured", "simulated"), np.random.default_rng(0).normal(size=(2, 20, 24)), strict=True))
    fitted = np.random.default_rng(1).normal(size=(2, 20, 24))
    lattice = Signal2D(np.ones(SHAPE))
    lattice.axes_manager.signal_axes.set(scale=0.04, units="nm")
    surface = made_surface(np.arange(20) // np.array([[3], [4]]) % 2)
    atoms = Atoms(np.random.default_rng(0).random((9, 3)))
    return {
        "plot_overlay": lambda **o: table.plot_overlay(image, **o),
        "plot_histogram": lambda **o: table.plot_histogram("area", **o),
        "plot_scatter": lambda **o: table.plot_scatter("area", "x", by="intensity", **o),
        "plot_pairs": lambda **o: table.plot_pairs(("area", "x"), by="class", **o),
        "plot_class_fractions": lambda **o: movie.plot_class_fractions(**o),
        "plot_class_fractions, series": lambda **o: movie.plot_class_fractions(per="series", **o),
        "plot_class_sequence": lambda **o: movie.plot_class_sequence(**o),
        "plot_montage": lambda **o: table.plot_montage(image, **o),
        "plot_populations": lambda **o: table.plot_populations(image, by="class", **o),
        "plot_clustering": lambda **o: made_clusters(curve=score([1, 2], [0.1, 0.4])).plot_clustering(**o),
        "Transitions.plot": lambda **o: made_transitions(np.ones((3, 3)), np.ones(3), tuple("abc")).plot(**o),
        "TemperatureSeries.plot": lambda **o: made_temperatures([[-3, -2, -1]]).plot(**o),
        "plot_fractions": lambda **o: plot_fractions(steps([300.0, 500.0]), **o),
        "plot_comparison": lambda **o: plot_comparison(*compared.values(), correlated_columns(3), 0.02, **o),
        "Comparison.plot": made_comparison(**compared).plot,
        "plot_column_fit": lambda **o: plot_column_fit(fitted, fitted, ["a", "b"], 0.02, **o),
        "FittedColumns.plot": FittedColumns(None, (Optics(), Optics()), (0.0, 0.0), 1.0, fitted, fitted, 0.2).plot,
        "plot_fsc": found.plot_fsc,
        "plot_slices": found.plot_slices,
        "plot_surface": found.plot_surface,
        "plot_columns": lambda **o: columns.plot_columns(lattice, **o),
        "plot_counts": lambda **o: columns.plot_counts(lattice, **o),
        "plot_strain": lambda **o: strained.plot_strain(lattice, ("exx", "planar_error"), **o),
        "plot_strain_arrows": lambda **o: strained.plot_strain_arrows(lattice, **o),
        "plot_strain_profile": lambda **o: strained.plot_strain_profile((0, 0.4), (2, 0.9), **o),
        "plot_strain_layers": lambda **o: strained.plot_strain_layers(**o),
        "plot_rotations": lambda **o: strained.plot_rotations(**o),
        "plot_mixture": lambda **o: columns.plot_mixture(max_components=2, **o),
        "plot_atoms": lambda **o: plot_atoms(atoms, **o),
        "plot_occupancy": surface.plot_occupancy,
        "plot_events": surface.plot_events,
        "plot_strips": surface.plot_strips,
        "plot_sites": lambda **o: plot_sites(surface, surface.sites["x"], "x (nm)", **o),
    }


DRAWN = sorted(
    {name.split(".")[-1] if "_" in name else name for _, name in FIGURES}
    - {"plot_particles", "plot_transitions", "plot_arrhenius"}  # the last two are drawn by methods
)


def colour_maps(figure):
    """Names of the maps of the images and of the points that have one."""
    parts = [part for ax in figure.axes for part in (*ax.images, *ax.collections)]
    return {part.get_cmap().name for part in parts if part.get_array() is not None}


@pytest.mark.parametrize("name", [*DRAWN, "plot_class_fractions, series"])
def test_options_do_what_they_say(figures, name):
    last = LAST.get(name, ["ax", "figsize"])
    bars = sum(isinstance(part, AnchoredOffsetbox) for ax in whole(figures[name]()).axes for part in ax.artists)
    assert bars == ("scale_bar" in last)
    options = {"scale_bar": False, "cmap": "cividis", "figsize": SIZE}
    figure = whole(figures[name](**{key: value for key, value in options.items() if key in last}))
    assert tuple(figure.get_size_inches()) == SIZE
    assert not any(isinstance(part, AnchoredOffsetbox) for ax in figure.axes for part in ax.artists)
    assert ("cividis" in colour_maps(figure)) == ("cmap" in last)
    if "ax" in last:
        projections = {"plot_surface": "3d", "plot_atoms": "3d", "plot_rotations": "polar"}
        ax = plt.figure().add_subplot(projection=projections.get(name))
        assert figures[name](ax=ax) is ax
    elif "axes" in last:
        axes = plt.subplots(1, 3 if name == "plot_slices" else 2)[1]
        assert list(figures[name](axes=axes)) == list(axes)


def whole(drawn):
    """The figure of what a function gives back: itself, or that of its axes."""
    return drawn if isinstance(drawn, plt.Figure) else np.ravel(drawn)[0].figure


def test_the_map_of_counts_is_a_colour_map_too(figures):
    ax = figures["plot_counts"](cmap=plt.get_cmap("magma"))
    (points,) = [part for part in ax.collections if isinstance(part, PathCollection)]
    assert points.get_cmap().N == 3 and ax.images[0].get_cmap().name == "gray"


# Machado, Oliveira and Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009), at full severity
BLINDNESS = {
    "none": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colours_are_told_apart(blindness):
    from skimage.color import rgb2lab

    colours = (*PALETTE, UNDEFINED_COLOUR)
    assert len(colours) == 8
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(BLINDNESS[blindness]), 0, 1)
    seen = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    lab = rgb2lab(seen[None])[0]
    distances = {(a, b): np.linalg.norm(lab[a] - lab[b]) for a, b in combinations(range(8), 2)}
    near = {(colours[a], colours[b]): d for (a, b), d in distances.items() if d < 10}
    assert near == {}
