"""Montages of particles by class."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from particlespy_ml.plotting.colours import PALETTE
from particlespy_ml.stacks.plot_montage import choose_particles


@pytest.fixture
def table(series, add_classes):
    return add_classes(series.measure_particles(np.asarray(series.data) > 2.5))


def shown(figure):
    return [ax for ax in figure.axes if ax.images]


@pytest.mark.parametrize("lazy", [False, True])
def test_image_and_stack_show_the_same(series, table, lazy):
    image = series.as_lazy() if lazy else series
    one = shown(table.plot_montage(image, box="50 px"))
    other = shown(table.plot_montage(image.extract_particles(table, box="50 px")))
    assert len(one) == len(other) == 3
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.images[0].get_array(), b.images[0].get_array())
    assert [ax.get_ylabel() for ax in one] == ["icosahedron", "amorphous", "undefined"]
    assert [ax.get_xlabel() for ax in one] == ["75 %"] * 3
    assert to_hex(one[0].spines["left"].get_edgecolor()).upper() == PALETTE[0]
    stack = series.extract_particles(table, box="50 px")
    np.testing.assert_array_equal(one[1].images[0].get_array(), stack.data[1])


def test_order_and_number_of_particles(table):
    table = table.deepcopy()
    for rows in table.data:
        rows["class_index"] = 0
        rows["probability"] = 0.5 + 0.1 * rows["label"] + 0.01 * len(rows)
    probability = table["probability"]
    for order, expected in {"most probable": [1, 0], "least probable": [2, 0]}.items():
        chosen = choose_particles(table, 2, order, 0)
        assert list(chosen) == ["icosahedron"]
        assert list(chosen["icosahedron"]) == expected, probability
    drawn = {tuple(choose_particles(table, 1, "random", seed)["icosahedron"]) for seed in range(20)}
    assert len(drawn) == 3
    assert len(shown(table.plot_montage(_stack(table), columns=2))) == 2


def _stack(table):
    from hyperspy.signals import Signal2D

    stack = Signal2D(np.random.default_rng(0).random((table.n_particles, 8, 8)))
    stack.axes_manager.navigation_axes[0].name = "particle"
    stack.axes_manager.signal_axes.set(scale=0.04, units="nm")
    return stack


def test_what_cannot_be_drawn(series, table, two_disks):
    with pytest.raises(ValueError, match="order='best'; expected one of 'random'"):
        table.plot_montage(series, order="best")
    with pytest.raises(ValueError, match="columns=0"):
        table.plot_montage(series, columns=0)
    with pytest.raises(ValueError, match="box="):
        table.plot_montage(_stack(table), box="8 px")
    with pytest.raises(ValueError, match="The stack has 3 particles, the table 2"):
        table.select("frame == 0").plot_montage(_stack(table))
    with pytest.raises(ValueError, match="not classified"):
        two_disks.measure_particles().plot_montage(two_disks)
    with pytest.raises(ValueError, match="no particles"):
        table.select("area > 1e9").plot_montage(series)
    with pytest.raises(ValueError, match="table was measured on"):
        table.plot_montage(two_disks)
    assert plt.get_fignums() == []
