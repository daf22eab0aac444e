"""Figures of clusters: pairs, what clusters stand on, mean images, and the older figures by cluster."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.special import ellipe

from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR
from particlespy_ml.plotting.scale_bar import scale_bar_text
from particlespy_ml.plotting.table import plot_histogram
from particlespy_ml.tables.table import make_table, object_array


@pytest.fixture(scope="module")
def kinds():
    """A table of two kinds of particles over two frames."""
    rng = np.random.default_rng(0)
    count = 160
    truth = np.arange(count) % 2
    lengths = ("equivalent_circular_diameter", "major_axis_length", "minor_axis_length", "perimeter")
    names = (*lengths, "circularity")
    rows = np.zeros(count, [("label", "i4"), *((name, "f8") for name in names)])
    rows["equivalent_circular_diameter"] = np.exp(rng.normal(np.where(truth, 1.5, 1.0), 0.06))
    rows["minor_axis_length"] = 1
    rows["major_axis_length"] = np.exp(np.abs(rng.normal(0.1, 0.03, count)) + 0.5 * truth)
    rows["circularity"] = rng.normal(np.where(truth, 0.8, 0.9), 0.01)
    ratio = rows["major_axis_length"]
    around = 2 * rows["equivalent_circular_diameter"] * np.sqrt(ratio) * ellipe(1 - 1 / ratio**2)
    rows["perimeter"] = around / rng.normal(np.where(truth, 0.85, 0.95), 0.01)
    data = object_array([rows[:90], rows[90:]], (2,))
    axes = [{"name": "time", "size": 2, "navigate": True, "units": "s"}]
    units = {name: "nm" if "_" in name else "" for name in rows.dtype.names}
    return make_table(data, axes, units, {})


@pytest.fixture(scope="module")
def clustered(kinds):
    return kinds.cluster_particles(resamples=0)


def test_pairs(clustered):
    figure = clustered.plot_pairs()
    assert len(figure.axes) == 6
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1"] and legend.get_title().get_text() == "Cluster"
    points = figure.axes[1].collections[-1].get_offsets()
    x = clustered["equivalent_circular_diameter"]
    np.testing.assert_allclose(np.sort(points[:, 0]), np.sort(x))
    # histograms on the diagonal hold all particles
    heights = [patch.get_height() for patch in figure.axes[0].patches if hasattr(patch, "get_height")]
    assert sum(heights) == clustered.n_particles
    assert figure.axes[-1].get_xlabel() == "Elliptic compactness"


def test_pairs_of_chosen_columns(kinds, clustered):
    assert len(kinds.plot_pairs(("circularity", "minor_axis_length"), by=None).axes) == 3
    with pytest.raises(ValueError, match="not clustered"):
        kinds.plot_pairs()
    with pytest.raises(ValueError, match="two columns or more"):
        clustered.plot_pairs("circularity")
    with pytest.raises(ValueError, match="no column of numbers 'colour'"):
        clustered.plot_pairs(("colour", "circularity"))


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("gaussian_mixture", "Bayesian information criterion\n(lower is better)"),
        ("kmeans", "Gap statistic"),
        ("affinity_propagation", "Gap statistic"),
        ("agglomerative", "Distance of the merged clusters"),
        ("optics", "Reachability (scaled units)"),
        ("hdbscan", "Reachability (scaled units)"),
        ("dbscan", "Distance to the neighbour (scaled units)"),
    ],
)
def test_what_clusters_stand_on(kinds, method, label):
    table = kinds.cluster_particles(method=method, resamples=0)
    ax = table.plot_clustering()
    assert ax.get_ylabel() == label
    if method == "gaussian_mixture":
        record = table.metadata.particlespy_ml.clustering
        scores = record.curve.scores
        assert record.n_clusters == 2 and ax.get_xlabel() == "Number of components"
        np.testing.assert_allclose(ax.lines[0].get_ydata(), scores)
        components = record.parameters.components
        expected = "2" if components == 2 else f"{components}, merged to 2"
        assert ax.lines[1].get_xdata() == [components] and ax.texts[0].get_text() == expected
    if method == "agglomerative":
        assert "80" in " ".join(text.get_text() for text in ax.get_legend().get_texts())


def test_dendrogram_colours_are_those_of_the_clusters(kinds):
    ax = kinds.cluster_particles(method="agglomerative", n_clusters=2, resamples=0).plot_clustering()
    colours = {to_hex(line).upper() for part in ax.collections for line in part.get_colors()}
    assert colours == {PALETTE[0], PALETTE[1], "#333333"}


def test_nothing_to_draw(kinds, clustered):
    with pytest.raises(ValueError, match="not clustered; call"):
        kinds.plot_clustering()
    with pytest.raises(ValueError, match="Cluster 1 is not clustered"):
        clustered.plot_clustering(within=1)
    with pytest.raises(ValueError, match="number of clusters was given, 2"):
        kinds.cluster_particles(n_clusters=2, resamples=0).plot_clustering()
    parts = clustered.cluster_particles("circularity", within=0, resamples=0)
    assert parts.plot_clustering(within=0).get_xlabel() == "Number of components"


def test_particles_in_no_cluster_are_grey_and_last(clustered):
    table = clustered.select(np.ones(clustered.n_particles, bool))
    for rows in table.data:
        rows["cluster"][:3] = -1
    ax = plot_histogram(table, "circularity", "cluster")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["0", "1", "none"]
    colours = [to_hex(handle.get_facecolor()).upper() for handle in ax.get_legend().legend_handles]
    assert colours == [PALETTE[0], PALETTE[1], UNDEFINED_COLOUR]


@pytest.mark.parametrize("lazy", [False, True])
def test_mean_images_of_clusters(series, lazy):
    image = series.as_lazy() if lazy else series
    table = image.measure_particles(np.asarray(series.data) > 2.5).cluster_particles(n_clusters=2, resamples=0)
    figure = table.plot_populations(image)
    shown = [ax for ax in figure.axes if ax.images]
    labels = [ax.get_ylabel() for ax in shown if ax.get_ylabel()]
    assert len(shown) == 2 + 3 and sorted(label[:9] for label in labels) == ["cluster 0", "cluster 1"]
    assert [scale_bar_text(bar) for ax in shown for bar in ax.artists] == ["0.5 nm"]
    stack = image.extract_particles(table, box="60 px")
    assert len(table.plot_populations(stack, columns=1).axes) == 4


def test_montage_by_cluster(series, add_classes):
    table = add_classes(series.measure_particles(np.asarray(series.data) > 2.5))
    table = table.cluster_particles(method="kmeans", n_clusters=2, resamples=0)
    shown = [ax for ax in table.plot_montage(series, box="50 px", by="cluster").axes if ax.images]
    assert {ax.get_ylabel() for ax in shown} == {"cluster 0", "cluster 1", ""}
    assert [ax.get_xlabel() for ax in shown] == [""] * 3  # k-means knows no probabilities
    with pytest.raises(ValueError, match="no column of whole numbers 'size'"):
        table.plot_montage(series, by="size")


def test_clusters_as_classes(clustered):
    table = clustered.as_classes(names=("small", "large"))
    assert table.classes == ("small", "large")
    np.testing.assert_array_equal(table["class_index"], clustered["cluster"])
    np.testing.assert_allclose(table["probability_small"] + table["probability_large"], 1, atol=1e-6)
    fractions = clustered.class_fractions(by="cluster")
    assert list(fractions["cluster 0"] + fractions["cluster 1"]) == [1, 1]
    report = clustered.summary(by="cluster")
    assert list(report.loc[["cluster 0", "cluster 1"], "count"]) == [80, 80]
    assert len(clustered.plot_class_fractions(by="cluster").patches) == 4
    with pytest.raises(ValueError, match="3 names for the 2 values"):
        clustered.as_classes(names=("a", "b", "c"))
    with pytest.raises(ValueError, match="no column of whole numbers 'circularity'"):
        clustered.as_classes("circularity")


def test_tracks_and_overlays_of_clusters(series):
    table = series.measure_particles(np.asarray(series.data) > 2.5).cluster_particles(n_clusters=2, resamples=0)
    tracked = table.track_particles(max_displacement=5)
    np.testing.assert_array_equal(tracked["cluster"], table["cluster"])
    assert table.plot_overlay(series, 0, label="cluster").images
