"""Figures of columns and counts."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from particlespy_ml.counting.plot_mixture import plot_mixture
from particlespy_ml.plotting.columns import plot_atoms, plot_columns, plot_counts


@pytest.fixture(scope="module")
def counted(make_columns, make_image):
    s = make_image(make_columns(edge=11, dose=3e4, cross_section=0.05)[0], scale=0.02)
    return s, s.find_columns(dose="electrons").count_atoms(library=0.05 * 3e4 * 0.04 * np.arange(1, 9))


def test_counts_are_drawn_where_the_columns_are(counted):
    s, table = counted
    ax = plot_counts(table, s)
    (points,) = ax.collections
    np.testing.assert_allclose(points.get_offsets(), np.column_stack([table["x"], table["y"]]))
    np.testing.assert_array_equal(points.get_array(), table["count"])
    assert str(table.n_columns) in ax.get_title()
    assert len(ax.images) == 1 and len(table.plot_counts().images) == 0


def test_uncounted_columns_are_drawn_grey(counted):
    s, table = counted
    few = table.count_atoms(library=0.05 * 3e4 * 0.04 * np.arange(1, 4))
    sizes = [len(c.get_offsets()) for c in plot_counts(few, s).collections]
    assert sizes == [np.sum(few["count"] < 0), np.sum(few["count"] > 0)]


def test_flagged_columns_have_a_colour_of_their_own(counted):
    s, table = counted
    assert len(plot_columns(table, s).collections) == 1
    marked = table.deepcopy()
    marked.data[0]["flags"][:3] = 1
    assert [len(c.get_offsets()) for c in plot_columns(marked, s).collections] == [table.n_columns - 3, 3]


def test_the_mixture_is_drawn_with_its_components(counted):
    _, table = counted
    left, right = plot_mixture(table, max_components=10)
    drawn = len(left.lines)
    assert left.get_xlabel().endswith("(nm²)") and right.get_ylabel() == "ICL"
    assert drawn == 0 or f"{drawn - 1} components" in left.get_title()
    assert len(right.lines) >= 2


def test_an_uncounted_mixture_says_so(counted):
    _, table = counted
    left, _ = plot_mixture(table.select(np.arange(table.n_columns) < 10))
    assert "not counted" in left.get_title()


def test_atoms_in_three_dimensions(counted):
    _, table = counted
    atoms = table.to_atoms("Pt")
    for colour in ("coordination", "height"):
        ax = plot_atoms(atoms, colour)
        assert ax.name == "3d" and len(ax.collections) == 1
    with pytest.raises(ValueError, match="coordination"):
        plot_atoms(atoms, "mass")


def test_errors_and_no_windows(counted):
    s, table = counted
    with pytest.raises(ValueError, match="no frame 4"):
        plot_counts(table, s, 4)
    with pytest.raises(ValueError, match="frames of"):
        plot_columns(table, s.isig[:50, :50])
    with pytest.raises(ValueError, match="count_atoms"):
        plot_counts(s.find_columns(), s)
    assert plt.get_backend().lower() == "agg"
