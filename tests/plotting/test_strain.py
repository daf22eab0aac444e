"""Figures of strain: what is drawn, where, and by which numbers."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection, TriMesh
from matplotlib.quiver import Quiver

from particlespy_ml.strain.surface import normal_strain
from tests.plotting.made_results import made_strain

pytestmark = pytest.mark.usefixtures("small_figures")


@pytest.fixture(scope="module")
def strained():
    """A square lattice whose columns are off by known amounts, one of them missing and one alone."""
    rng = np.random.default_rng(0)
    table = made_strain(6, 5)
    rows = table.data[0]
    rows["x"] += rng.normal(0, 0.002, len(rows))
    rows["y"] += rng.normal(0, 0.002, len(rows))
    extra = rows[:1].copy()
    extra["x"], extra["y"], extra["flags"] = 1.9, 0.1, 4
    table.data[0] = np.concatenate([np.delete(rows, 16), extra])
    return table.measure_strain("square", scale=0.2)


def parts(ax, kind):
    return [part for part in ax.collections if isinstance(part, kind)]


def test_each_component_is_drawn_where_the_columns_are(strained):
    names = ("exx", "rotation", "eyy_error")
    axes = strained.plot_strain(components=names)
    assert [ax.get_title() for ax in axes] == ["exx (%)", "rotation (°)", "error of eyy (%)"]
    known = np.isfinite(strained["exx"])
    assert 0 < (~known).sum() < 5
    for ax, name, factor in zip(axes, names, (100, 1, 100), strict=True):
        undefined, points = parts(ax, PathCollection)
        np.testing.assert_allclose(points.get_offsets(), np.column_stack([strained["x"], strained["y"]])[known])
        np.testing.assert_allclose(points.get_array(), factor * strained[name][known])
        np.testing.assert_allclose(undefined.get_offsets()[:, 0], strained["x"][~known])
    low, high = (parts(ax, PathCollection)[1].get_clim() for ax in axes[::2])
    assert low[0] == -low[1] and high[0] == 0 and high[1] > 0
    assert axes[0].figure.axes[-1].get_ylim()[0] == 0


def test_strains_share_their_colours_and_a_limit_sets_them(strained):
    exx, eyy = (parts(ax, PathCollection)[1].get_clim() for ax in strained.plot_strain(components=("exx", "eyy")))
    assert exx == eyy and exx[1] == pytest.approx(
        np.percentile(
            np.abs(100 * np.append(strained["exx"], strained["eyy"])[~np.isnan(np.tile(strained["exx"], 2))]), 98
        )
    )
    (ax,) = strained.plot_strain(components="planar", limit=0.015)
    assert parts(ax, PathCollection)[1].get_clim() == pytest.approx((-1.5, 1.5))


def test_interpolated_maps_end_with_the_particle(strained):
    (ax,) = strained.plot_strain(components="exx", interpolated=True)
    (mesh,) = parts(ax, TriMesh)
    triangles = mesh._triangulation
    corners = np.column_stack([triangles.x, triangles.y])[triangles.triangles]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    assert sides.max() < 0.2 * 2.9  # across the vacancy, and none to the column that is alone
    known = np.isfinite(strained["exx"])
    assert set(np.round(mesh.get_array(), 9)) <= set(np.round(100 * strained["exx"][known], 9))
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / 2
    assert 0.6 * 20 * 0.04 < area <= 1.05 * 20 * 0.04


def test_angles_at_the_end_of_their_range_lie_together():
    table = made_strain(6, 6, turn=45.0, errors=0.01)
    rng = np.random.default_rng(1)
    table.data[0]["x"] += rng.normal(0, 0.001, 36)
    table = table.measure_strain("square", scale=0.2)
    assert np.ptp(table["rotation"]) > 80  # by which turn of the template a column is told is chance
    (ax,) = table.plot_strain(components="rotation")
    assert np.ptp(parts(ax, PathCollection)[0].get_array()) < 5


def test_arrows_of_displacements(strained):
    ax = strained.plot_strain_arrows(magnification=20)
    (arrows,) = parts(ax, Quiver)
    on_lattice = strained["flags"] == 0
    assert len(arrows.U) == on_lattice.sum() and "20 times" in ax.get_title()
    design = np.column_stack([strained["site_a"], strained["site_b"], np.ones(strained.n_columns)])[on_lattice]
    for drawn, name in ((arrows.U, "x"), (arrows.V, "y")):
        places = strained[name][on_lattice]
        left = places - design @ np.linalg.lstsq(design, places, rcond=None)[0]
        np.testing.assert_allclose(drawn, 20 * left, atol=1e-9)
    with pytest.raises(ValueError, match="sites of a lattice"):
        strained.drop("site_a").plot_strain_arrows()


def test_arrows_along_the_surface_normal(strained):
    ax = strained.plot_strain_arrows(arrows="normal")
    (arrows,) = parts(ax, Quiver)
    rows = strained.data[0]
    known = np.isfinite(normal_strain(rows))
    assert len(arrows.U) == known.sum() > 10
    lengths = arrows.U * rows["normal_x"][known] + arrows.V * rows["normal_y"][known]
    ratios = lengths / normal_strain(rows)[known]
    np.testing.assert_allclose(ratios, ratios[0])
    np.testing.assert_allclose(arrows.get_array(), 100 * normal_strain(rows)[known])
    assert f"{0.01 * ratios[0]:.2g}" in ax.get_title()


def test_the_rose_of_rotations():
    table = made_strain(6, 6, turn=7.0)
    ax = table.plot_rotations(bins=72)
    heights = np.array([bar.get_height() for bar in ax.patches])
    assert heights.sum() == 4 * np.isfinite(table["rotation"]).sum()
    np.testing.assert_array_equal(np.flatnonzero(heights), [1, 19, 37, 55])  # 7 degrees, and its three turns
    assert ax.get_theta_direction() == -1  # y runs down, as in the image
    with pytest.raises(ValueError, match="not polar"):
        table.plot_rotations(ax=plt.figure().add_subplot())
    with pytest.raises(ValueError, match="multiple of 12"):
        table.plot_rotations(bins=10)


def test_a_profile_along_a_line(strained):
    y = np.median(strained["y"])
    ax = strained.plot_strain_profile((0.4, y), (2.0, y), "exx", width=0.25)
    (bars,) = ax.containers
    distance, values = bars.lines[0].get_data()
    inside = (np.abs(strained["y"] - y) <= 0.125) & (strained["x"] >= 0.4) & np.isfinite(strained["exx"])
    order = np.argsort(strained["x"][inside])
    np.testing.assert_allclose(distance, strained["x"][inside][order] - 0.4)
    np.testing.assert_allclose(values, 100 * strained["exx"][inside][order])
    segments = np.array([part[:, 1] for part in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(np.ptp(segments, axis=1) / 2, 100 * strained["exx_error"][inside][order])
    assert "nm" in ax.get_xlabel()
    with pytest.raises(ValueError, match="places"):
        strained.plot_strain_profile((1, 1), (1, 1))
    with pytest.raises(ValueError, match="rotation by itself"):
        strained.plot_strain_profile((0, 1), (1, 1), ("exx", "rotation"))


def test_layers_are_drawn_as_they_are_measured(strained):
    ax = strained.plot_strain_layers("planar")
    (bars,) = ax.containers
    layer, mean = np.array(bars.lines[0].get_data(), float)
    expected = strained.strain_by_layer("planar")
    np.testing.assert_allclose(layer, expected["layer"])
    np.testing.assert_allclose(mean, 100 * expected["mean"])
    (dots,) = parts(ax, PathCollection)
    assert len(dots.get_offsets()) == expected["matched"].sum()
    with pytest.raises(ValueError, match="expected one of exx"):
        strained.plot_strain_layers("rotation")


def test_histograms_by_template(strained):
    ax = strained.plot_histogram("exx", by="template")
    assert sum(bar.get_height() for bar in ax.patches) == np.isfinite(strained["exx"]).sum()
    assert ax.get_ylabel() == "Columns" and ax.get_xlabel() == "exx"
    assert strained.plot_scatter("x", "exx").get_xlabel() == "X (nm)"


def test_what_is_refused(strained):
    with pytest.raises(ValueError, match="expected one or several of exx"):
        strained.plot_strain(components="stress")
    with pytest.raises(ValueError, match="one for each"):
        strained.plot_strain(components=("exx", "eyy"), axes=plt.figure().add_subplot())
    with pytest.raises(ValueError, match="above zero"):
        strained.plot_strain(limit=0)
    with pytest.raises(ValueError, match="displacement, normal"):
        strained.plot_strain_arrows(arrows="stress")
    with pytest.raises(ValueError, match="no frame 3"):
        strained.plot_strain(index=3)
