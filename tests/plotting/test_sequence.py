"""Strips of classes over time."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from particlespy_ml.dynamics import markov
from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR


def strips(ax):
    """Rectangles of each colour as (left, top, right, bottom)."""
    found = {}
    for collection in ax.collections:
        corners = [path.vertices for path in collection.get_paths()]
        colour = to_hex(collection.get_facecolor()[0]).upper()
        found[colour] = sorted((*c.min(0).round(6), *c.max(0).round(6)) for c in corners)
    return found


@pytest.fixture
def states():
    return np.array([[0, 0, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])


def test_frames_by_themselves(states, make_movie):
    table = make_movie(states, accuracy=1 - 1e-9, missing={(1, 2)}, undefined={(0, 5)})
    ax = table.plot_class_sequence(smooth=False)
    assert strips(ax) == {
        PALETTE[0]: [(-0.25, -0.4, 0.75, 0.4), (1.75, -0.4, 2.25, 0.4)],
        PALETTE[1]: [(-0.25, 0.6, 0.75, 1.4), (0.75, -0.4, 1.75, 0.4), (1.25, 0.6, 2.75, 1.4)],
        UNDEFINED_COLOUR: [(2.25, -0.4, 2.75, 0.4)],
    }
    assert ax.get_xlim() == (-0.25, 2.75)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Particle")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["icosahedron", "decahedron", "undefined"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first particle is on top


def test_smoothing_mends_frames_and_both_are_drawn(make_movie):
    rates = np.array([[-0.05, 0.05], [0.05, -0.05]])
    truth = markov.simulate_states(rates, 300, 0.5, np.random.default_rng(2))[None]
    table = make_movie(truth, missing={(0, 0), (0, 150)})
    smooth, raw, both = (strips(table.plot_class_sequence(kind)) for kind in (True, False, "both"))
    count = {name: sum(len(part) for part in parts.values()) for name, parts in (("s", smooth), ("r", raw))}
    assert count["s"] < count["r"] / 3
    assert min(part[0] for parts in smooth.values() for part in parts) == 0.25  # from the first frame it is in
    edges = {part[1::2] for parts in both.values() for part in parts}
    assert len(edges) == 2
    assert sum(len(parts) for parts in both.values()) == sum(count.values())


def test_any_axis_and_axes_of_ones_own(states, make_movie):
    _, ax = plt.subplots()
    table = make_movie(states, units="K", scale=10.0)
    table.axes_manager[0].name = "temperature"
    assert table.plot_class_sequence(smooth=True, ax=ax) is ax
    assert ax.get_xlabel() == "Temperature (K)"


def test_many_particles_have_legible_ticks(make_movie):
    ax = make_movie(np.zeros((70, 3), int) + np.arange(3) % 2).plot_class_sequence(False)
    assert len(ax.get_yticks()) <= 30
    assert ax.figure.get_size_inches()[1] <= 12


def test_movies_that_cannot_be_drawn(states, make_movie, series, add_classes):
    table = make_movie(states)
    with pytest.raises(ValueError, match='expected True, False or "both"'):
        table.plot_class_sequence("raw")
    with pytest.raises(ValueError, match="two or more frames"):
        table.inav[0].plot_class_sequence()
    measured = series.measure_particles(np.asarray(series.data) > 2.5)
    with pytest.raises(ValueError, match="not classified"):
        measured.plot_class_sequence()
    with pytest.raises(ValueError, match="track_particles"):
        add_classes(measured).plot_class_sequence()
    assert plt.get_fignums() == []


def test_frames_reach_half_way_to_their_neighbours(states, make_movie):
    table = make_movie(states, accuracy=1 - 1e-9)
    table.axes_manager[0].convert_to_non_uniform_axis()
    table.axes_manager[0].axis = np.array([0.0, 1, 2, 10, 11, 12])
    ax = table.plot_class_sequence(smooth=False)
    assert strips(ax)[PALETTE[1]] == [(-0.5, 0.6, 12.5, 1.4), (1.5, -0.4, 10.5, 0.4)]
    turned = table.inav[::-1].plot_class_sequence(smooth=False)
    assert strips(turned) == strips(ax)
    assert turned.get_xlim() == ax.get_xlim() == (-0.5, 12.5)
    bars = [bar for bar in table.plot_class_fractions().patches if bar.get_height() > 0]
    assert {(bar.get_x(), bar.get_width()) for bar in bars} >= {(-0.5, 1.0), (1.5, 4.5), (6.0, 4.5)}
    table.axes_manager[0].axis = np.array([0.0, 2, 1, 3, 4, 5])
    for draw in (table.plot_class_sequence, table.plot_class_fractions):
        with pytest.raises(ValueError, match="neither ascend nor descend"):
            draw()
