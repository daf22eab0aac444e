"""Every figure for every kind of table: it is drawn, or a ValueError says what is missing.

A new figure needs an entry in `OF_PARTICLES` or `OF_RESULTS`.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pytest

from particlespy_ml.plotting.comparison import plot_comparison
from particlespy_ml.plotting.fractions import plot_fractions
from particlespy_ml.plotting.strain import ARROWS
from particlespy_ml.plotting.surface import plot_sites
from tests.plotting.made_results import (
    HALF,
    ODD,
    SHAPE,
    SITES,
    TREE,
    UNKNOWN,
    Atoms,
    all_figures,
    ball,
    both_colours,
    classify,
    correlated_columns,
    made_clusters,
    made_columns,
    made_reconstruction,
    made_strain,
    made_surface,
    made_temperatures,
    made_transitions,
    of_columns,
    over_an_image,
    reach,
    score,
    steps,
    strain_maps,
)

pytestmark = [
    pytest.mark.usefixtures("small_figures"),
    *(pytest.mark.filterwarnings(f"error::{kind}") for kind in ("RuntimeWarning", "UserWarning")),
]

NONE, ONE, TWO = ([], []), ([(20, 15)], [7]), ([(13, 12), (27, 36)], [6, 9])
FRAMES = {
    "image": (TWO,),
    "image of one particle": (ONE,),
    "empty image": (NONE,),
    "series of one frame": (TWO,),
    "series": (NONE, ONE, NONE),
    "empty series": (NONE, NONE),
    "series of many": (TWO, NONE, ONE),
    "tracked series": (TWO, TWO, NONE, TWO),
    "grid": (TWO, NONE, ONE, TWO, ONE, NONE),
}
# classes, and the class of each particle in turn
CLASSES = {
    "not classified": ((), ()),
    "some undefined": (("icosahedron", "decahedron"), (0, 1, -1)),
    "all undefined": (("icosahedron", "decahedron"), (-1,)),
    "one class": (("icosahedron", "decahedron"), (1,)),
    "odd names": (ODD, (0, 1, 2, 3, -1)),
    "many classes": (tuple(f"class {n}" for n in range(9)), (8, 1, 4)),
}
CASES = [
    ("image", "not classified", False),
    ("image", "some undefined", True),
    ("image", "all undefined", False),
    ("image of one particle", "some undefined", False),
    ("empty image", "some undefined", True),
    ("series of one frame", "one class", False),
    ("series", "all undefined", True),
    ("empty series", "some undefined", False),
    ("series of many", "not classified", False),
    ("tracked series", "odd names", False),
    ("tracked series", "many classes", False),
    ("grid", "some undefined", True),
]
# what a figure may need, and how it says that it is missing
MISSING = {
    "classes": "not classified",
    "particles": "no particles|not classified",
    "defined": "all . are undefined|No frame is classified|no particles",
    "a line": "along one axis|one navigation axis",
    "frames": "two or more frames",
    "tracks": "track_particles",
    "clusters": "not clustered",
}


@dataclass
class Case:
    """An image with its table, and what a figure may need that they have."""

    image: object
    table: object
    has: set


@pytest.fixture(scope="module")
def cases(make_frame, make_image):
    return {key: make_case(make_frame, make_image, *key) for key in CASES}


def make_case(make_frame, make_image, frames, classes, lazy):
    """A case as its key says."""
    data = np.stack([make_frame(*part, shape=SHAPE, seed=n) for n, part in enumerate(FRAMES[frames])])
    if "image" in frames:
        data = data[0]
    elif frames == "grid":
        data = data.reshape(3, 2, *SHAPE)
    names = ((), (), (), ("time",), ("temperature", "time"))[data.ndim]
    image = make_image(data, names=names)
    table = image.measure_particles(data > 2.5)
    if frames == "tracked series":
        table = table.track_particles(max_displacement=1)
    if CLASSES[classes][0]:
        table = classify(table, *CLASSES[classes])
    most = max(len(rows) for rows in table.data.ravel())
    has = {
        "classes": bool(table.classes),
        "particles": table.n_particles > 0,
        "labels": table.n_particles > 0 and ("class_index" not in table.columns or (table["class_index"] >= 0).any()),
        "defined": "class_index" in table.columns and (table["class_index"] >= 0).any(),
        "a line": frames != "grid",
        "frames": table.data.size > 1 and frames != "grid",
        "tracks": most < 2 or frames == "tracked series" or table.data.size < 2,
    }
    if lazy:
        image, table = image.as_lazy(), table.as_lazy()
    return Case(image, table, {name for name, there in has.items() if there})


def draw_all(layout=True):
    """Draw and close every figure; with its layout, which takes most of the time, nothing is cut at the edges."""
    for number in plt.get_fignums():
        figure = plt.figure(number)
        if not layout:
            figure.set_layout_engine("none")
        figure.canvas.draw()
        if layout:
            check_nothing_is_cut(figure)
    plt.close("all")


def check_nothing_is_cut(figure):
    """All that is drawn lies inside of the figure, but for two pixels of a hundred per inch."""
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    beyond = [-box.x0, -box.y0, box.x1 - width, box.y1 - height]
    assert max(beyond) <= 0.02, f"cut by {np.round(beyond, 3)} inches: left, bottom, right, top"


def walk(image):
    """Navigate to every frame of an image that is shown, and draw it."""
    for index in np.ndindex(*image.axes_manager.navigation_shape):
        image.axes_manager.indices = index
        image._plot.signal_plot.figure.canvas.draw()


def by_class(case):
    return "class" if "classes" in case.has else None


def particles(case):
    case.image.plot_particles(case.table)
    assert len(case.image._plot.signal_plot.ax_markers) == ("particles" in case.has) + ("labels" in case.has)
    walk(case.image)
    case.image._plot.close()


def markers(case):
    found = case.table.to_markers()
    assert len(found) == 1 + ("labels" in case.has)
    single = case.table.data.size == 1
    for marker, key in zip(found, ("verts", "texts"), strict=False):
        items = [marker.kwargs[key]] if single else marker.kwargs[key].ravel()
        assert sum(map(len, items)) == case.table.n_particles if key == "verts" else all(map(all, items))


def overlays(case):
    for index in {0, case.table.data.size - 1}:
        case.table.plot_overlay(case.image, index)


def histograms(case):
    ax = case.table.plot_histogram("area", by=by_class(case))
    assert sum(bar.get_height() for bar in ax.patches) == case.table.n_particles
    if "classes" in case.has:
        ax = case.table.plot_histogram("probability")
        assert sum(bar.get_height() for bar in ax.patches) == np.isfinite(case.table["probability"]).sum()


def scatter(case):
    for by in (by_class(case), "touches_border", "probability" if "classes" in case.has else "area"):
        ax = case.table.plot_scatter("area", "x", by=by)
        drawn = np.concatenate([c.get_offsets() for c in ax.collections] or [np.zeros((0, 2))])
        assert len(drawn) == case.table.n_particles, by
        assert all((c.get_facecolor()[:, 3] > 0).all() for c in ax.collections), by


def sequences(case):
    for smooth in (True, False, "both"):
        case.table.plot_class_sequence(smooth)


OF_PARTICLES = {
    "plot_particles": (particles, ()),
    "to_markers": (markers, ()),
    "plot_overlay": (overlays, ()),
    "plot_histogram": (histograms, ()),
    "plot_scatter": (scatter, ()),
    "plot_pairs": (lambda case: case.table.plot_pairs(("area", "x"), by=by_class(case)), ()),
    "plot_class_fractions": (lambda case: case.table.plot_class_fractions(), ("classes", "a line")),
    "plot_class_fractions of a series": (
        lambda case: case.table.plot_class_fractions(per="series"),
        ("classes", "a line", "tracks", "particles", "defined"),
    ),
    "plot_class_sequence": (sequences, ("classes", "frames", "tracks", "particles")),
    "plot_montage": (lambda case: case.table.plot_montage(case.image), ("classes", "particles")),
    "plot_populations": (
        lambda case: case.table.plot_populations(case.image, by="class"),
        ("classes", "particles", "defined"),
    ),
    "plot_clustering": (lambda case: case.table.plot_clustering(), ("clusters",)),
}


@pytest.mark.parametrize("name", OF_PARTICLES)
@pytest.mark.parametrize("key", CASES, ids=[", ".join([*key[:2], "lazy" if key[2] else "eager"]) for key in CASES])
def test_figures_of_particles(cases, name, key):
    case = cases[key]
    draw, needs = OF_PARTICLES[name]
    missing = [MISSING[need] for need in needs if need not in case.has]
    if missing:
        with pytest.raises(ValueError, match="|".join(missing)):
            draw(case)
        assert plt.get_fignums() == []
    else:
        draw(case)
        draw_all(layout=case.table.classes in (ODD, CLASSES["many classes"][0]))  # broken names, and much to say


# how to draw, what to draw, and what is said where nothing can be
OF_RESULTS = {
    "plot_clustering of clusters": (
        lambda table: table.plot_clustering(),
        {
            "scores": (made_clusters(curve=score([1, 2, 3], [0.1, 0.4, 0.2])), None),
            "one score": (made_clusters(1, curve=score([1], [0.0], "BIC")), None),
            "no scores": (made_clusters(1, curve=score([1, 2], [np.nan, np.nan], "ICL")), None),
            "particles alike, merged": (made_clusters(1, diagram={"linkage": TREE, "labels": [0, 0, 0]}), None),
            "two alone": (made_clusters(diagram={"linkage": TREE[:1], "labels": [0, 1]}), None),
            "particles alike, within reach": (made_clusters(1, diagram=reach([0.0, 0.0, 0.0], [0, 0, 0])), None),
            "particles out of reach": (made_clusters(0, diagram=reach([np.inf, np.inf], [-1, -1])), None),
            "no distance": (made_clusters(1, {"eps": 0.0}, curve=score([], [0.0, 0.0], "distance")), None),
            "number given": (made_clusters(), "number of clusters was given, 2"),
        },
    ),
    "plot_transitions": (
        lambda found: found.plot(),
        {
            "two classes": (made_transitions(HALF, np.array([1.0, 2.0]), ODD[:2]), None),
            "no changes": (made_transitions(np.zeros((2, 2)), np.array([1.0, 0.0]), ODD[2:]), None),
            "never seen": (made_transitions(UNKNOWN, np.array([0.0, 2.0]), ODD[:2]), None),
            "nothing seen": (made_transitions(np.full((2, 2), np.nan), np.zeros(2), ODD[:2]), None),
            "one class": (made_transitions([[0.0]], np.array([1.0]), ODD[3:]), None),
            "many classes": (made_transitions(np.ones((9, 9)), np.ones(9), tuple("abcdefghi")), None),
        },
    ),
    "plot_arrhenius": (
        lambda series: series.plot(),
        {
            "two lines": (made_temperatures([[-3, -2, -1], [-2, np.nan, 0]]), None),
            "no points": (made_temperatures([[np.nan] * 3]), None),
            "even points": (made_temperatures([[-1, -1, -1]], errors=0.0), None),
            "no errors known": (made_temperatures([[-3, -2, -1]], errors=np.inf, covariance=np.inf), None),
            "wide band": (made_temperatures([[-3, -2, -1]], errors=900.0, covariance=1e6), None),
            "falling temperatures": (made_temperatures([[-1, -2, -3]], kelvin=(600.0, 550.0, 500.0)), None),
        },
    ),
    "plot_fractions": (
        plot_fractions,
        {
            "numbers": (steps([300.0, 500.0]), None),
            "one number": (steps([300.0]), None),
            "far numbers": (steps([1e6, 1e6 + 1]), None),
            "names": (steps(["$a_{$", "b"]), None),
            "truth": (steps([False, True]), None),
            "no steps": (steps([1]).drop(columns="temperature"), None),
            "none": (steps([]), "no fractions"),
        },
    ),
    "plot_fsc": (
        lambda found: found.plot_fsc(),
        {
            "ball": (made_reconstruction(ball()), None),
            "no resolution": (made_reconstruction(ball(), resolution=np.nan), None),
            "resolution without end": (made_reconstruction(ball(), resolution=np.inf), None),
            "no correlation": (made_reconstruction(ball(), np.full(7, np.nan)), None),
        },
    ),
    "plot_slices": (
        lambda found: found.plot_slices(),
        {"ball": (made_reconstruction(ball()), None), "even": (made_reconstruction(np.ones((12, 12, 12))), None)},
    ),
    "plot_surface": (
        lambda found: found.plot_surface(),
        {
            "ball": (made_reconstruction(ball()), None),
            "even": (made_reconstruction(np.ones((12, 12, 12))), "outside of the volume"),
            "empty": (made_reconstruction(np.zeros((12, 12, 12))), "outside of the volume"),
            "below zero": (made_reconstruction(ball() - 2), "outside of the volume"),
        },
    ),
    "plot_columns": (
        of_columns(lambda table, image, frame: table.plot_columns(image, frame), 0.0, np.nan, True, np.uint8(3)),
        {
            "none": (made_columns(), None),
            "one": (made_columns([3], counted=False), None),
            "all flagged": (made_columns([1, 2, 3], flags=2), None),
            "series with empty frames": (made_columns([1, 2], frames=2), None),
        },
    ),
    "plot_counts": (
        of_columns(lambda table, image, frame: table.plot_counts(image, frame), None, False),
        {
            "not counted": (made_columns([1, 2], counted=False), "not counted"),
            "none": (made_columns(), None),
            "one": (made_columns([4]), None),
            "none resolved": (made_columns([-1, -1, -1]), None),
            "some": (made_columns([1, -1, 5]), None),
            "of one count": (made_columns([2, 2, 2], probability=0.0), None),
            "without probabilities": (made_columns([2, 3], probability=np.nan), None),
            "series with empty frames": (made_columns([1, 2], frames=2), None),
        },
    ),
    "plot_strain": (
        of_columns(strain_maps, None, 0.0),
        {
            "no strain": (made_columns([1, 2], counted=False), "call measure_strain"),
            "none": (made_strain(0, 0), None),
            "one": (made_strain(1, 1), None),
            "none matched": (made_strain(2, 1), None),
            "several": (made_strain(), None),
            "series with empty frames": (made_strain(3, 3, frames=2), None),
        },
    ),
    "plot_strain_arrows": (
        of_columns(lambda table, image, frame: [table.plot_strain_arrows(image, a, frame) for a in ARROWS], 0.0),
        {
            "no strain": (made_columns([1, 2], counted=False), "call measure_strain"),
            "none": (made_strain(0, 0), None),
            "one": (made_strain(1, 1), None),
            "several": (made_strain(), None),
        },
    ),
    "plot_strain_profile": (
        lambda table: table.plot_strain_profile((0, 0.4), (2, 0.9), ("exx", "eyy", "planar")),
        {
            "no strain": (made_columns([1, 2], counted=False), "call measure_strain"),
            "none": (made_strain(0, 0), None),
            "one": (made_strain(1, 1), None),
            "several": (made_strain(), None),
        },
    ),
    "plot_strain_layers": (
        lambda table: table.plot_strain_layers(("exx", "planar")),
        {
            "no strain": (made_columns([1, 2], counted=False), "call measure_strain"),
            "none": (made_strain(0, 0), None),
            "one": (made_strain(1, 1), None),
            "several": (made_strain(), None),
        },
    ),
    "plot_rotations": (
        lambda table: table.plot_rotations(),
        {
            "no strain": (made_columns([1, 2], counted=False), "call measure_strain"),
            "none": (made_strain(0, 0), None),
            "none matched": (made_strain(2, 1), None),
            "several": (made_strain(), None),
        },
    ),
    "plot_mixture": (
        lambda table: [table.plot_mixture(frame, max_components=3) for frame in range(table.data.size)],
        {
            "none": (made_columns(), None),
            "one": (made_columns([4]), None),
            "alike": (made_columns([0, 0, 0]), None),
            "all flagged": (made_columns([1, 2, 3], flags=2), None),
            "several": (made_columns([1, 2, 3] * 5), None),
            "series with empty frames": (made_columns([1, 2], frames=2), None),
        },
    ),
    "plot_occupancy": (lambda found: found.plot_occupancy(), SITES),
    "plot_occupancy over an image": (over_an_image, SITES),
    "plot_events": (
        lambda found: found.plot_events(),
        {**SITES, "one site": (made_surface(np.ones((1, 9), int)), None)},
    ),
    "plot_sites": (lambda found: plot_sites(found, found.sites["x"], "x (nm)"), SITES),
    "plot_strips": (
        lambda found: found.plot_strips(),
        {**SITES, "none changes": (made_surface(np.ones((3, 9), int)), "No site of the movie changes")},
    ),
    "plot_comparison": (
        lambda columns: plot_comparison(*np.random.default_rng(0).normal(size=(2, 20, 24)), columns, 0.02),
        {f"{n} columns": (correlated_columns(n), None) for n in (0, 1, 5)},
    ),
    "plot_atoms": (
        both_colours,
        {f"{n} atoms": (Atoms(np.random.default_rng(n).random((n, 3))), None) for n in (0, 1, 9)},
    ),
}


@pytest.mark.parametrize(
    ("name", "what"), [(name, what) for name, (_, inputs) in OF_RESULTS.items() for what in inputs], ids=str
)
def test_figures_of_results(name, what):
    draw, inputs = OF_RESULTS[name]
    value, problem = inputs[what]
    if problem:
        with pytest.raises(ValueError, match=problem):
            draw(value)
        assert plt.get_fignums() == []
    else:
        draw(value)
        assert plt.get_fignums()
        draw_all()


def test_every_figure_is_among_these():
    found = {name if name.endswith(".plot") else name.split(".")[-1] for _, name in all_figures()}
    tested = {name.split(" ")[0] for name in (*OF_PARTICLES, *OF_RESULTS)}
    assert found == tested | {
        "Transitions.plot",
        "TemperatureSeries.plot",
        "Comparison.plot",
        "FittedColumns.plot",
        "plot_column_fit",
    }  # drawn by their methods, and tested apart
