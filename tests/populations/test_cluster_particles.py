"""Tables to tables with clusters and shape features: eager, lazy, of any navigation, saved and loaded."""

import hyperspy.api as hs
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from particlespy_ml.populations.scaling import fit_scaling
from particlespy_ml.tables.dataframe import with_column
from particlespy_ml.tables.derive import DEFAULT_COLUMNS


@pytest.mark.parametrize("shape", [(1,), (6,), (2, 3)])
def test_the_default_finds_three_populations(make_kinds, shape):
    table, truth = make_kinds(shape=shape)
    found = table.cluster_particles(resamples=2)
    assert adjusted_rand_score(truth, found["cluster"]) > 0.97
    assert found["cluster"].dtype == np.int32 and found["cluster_probability"].min() >= 0
    record = found.metadata.particlespy_ml.clustering
    assert record.n_clusters == 3 and record.method == "gaussian_mixture" and record.curve.name == "BIC"
    assert min(record.stability.jaccard) > 0.9
    assert record.columns == list(DEFAULT_COLUMNS) and record.scaling.logarithm == [True, True, False]
    assert table.columns == [name for name in found.columns if not name.startswith("cluster")]
    # the smallest particles come first
    means = [found.select(f"cluster == {n}")["equivalent_circular_diameter"].mean() for n in range(3)]
    assert means == sorted(means)


def test_lazy_in_lazy_out_gives_the_same(make_kinds, same_rows):
    eager, _ = make_kinds()
    lazy, _ = make_kinds(lazy=True)
    one, other = eager.cluster_particles(resamples=0), lazy.cluster_particles(resamples=0)
    assert other._lazy
    other.compute()
    # frames are read in another order, which may change which component comes first, not where it lies
    assert (one["cluster"] == other["cluster"]).mean() > 0.99
    assert one["cluster_probability"] == pytest.approx(other["cluster_probability"], abs=0.05)


def test_a_lazy_table_is_not_read_whole(make_kinds):
    import dask.array as da

    from particlespy_ml.populations.cluster_particles import cluster_particles

    table, truth = make_kinds(count=900, shape=(30,))
    read = []

    def count(block):
        read.append(len(block.ravel()[0]))
        return block

    data = da.from_array(table.data, chunks=1).map_blocks(count, dtype=object, meta=np.empty(0, object))
    lazy = table.deepcopy().as_lazy()
    lazy.data = data
    found = cluster_particles(lazy, sample=200, resamples=0)
    assert 200 <= sum(read) < 450
    assert found.metadata.particlespy_ml.clustering.rows_fitted == 200
    assert adjusted_rand_score(truth, found["cluster"]) > 0.95


def test_clusters_come_back_from_a_file(make_kinds, tmp_path, same_rows):
    table, _ = make_kinds()
    for method in ("gaussian_mixture", "agglomerative", "hdbscan", "dbscan", "optics"):
        found = table.cluster_particles(method=method, resamples=2)
        found.save(tmp_path / f"{method}.hspy")
        loaded = hs.load(tmp_path / f"{method}.hspy")
        same_rows(found, loaded)
        one, other = (t.metadata.particlespy_ml.clustering for t in (found, loaded))
        assert one.n_clusters == other.n_clusters and list(one.sizes) == list(other.sizes)
        if method == "agglomerative":
            np.testing.assert_array_equal(one.diagram.linkage, other.diagram.linkage)


def test_clusters_are_clustered_again(make_kinds):
    table, truth = make_kinds(count=600)
    found = table.cluster_particles(n_clusters=2, resamples=0)
    sizes = [adjusted_rand_score(found["cluster"] == n, truth == 1) for n in (0, 1)]
    mixed = int(np.argmin(sizes)) if max(sizes) > 0.9 else 0
    inside = found["cluster"] == mixed
    parts = found.cluster_particles(within=mixed, resamples=0)
    assert (parts["subcluster"][~inside] == -1).all() and (parts["subcluster"][inside] >= -1).all()
    first = parts.metadata.particlespy_ml.subclustering[f"cluster_{mixed}"].n_clusters
    both = parts.cluster_particles(within=1 - mixed, resamples=0)
    np.testing.assert_array_equal(both["subcluster"][inside], parts["subcluster"][inside])
    assert both["subcluster"][~inside].max() >= first
    assert both["subcluster"][~inside][both["subcluster"][~inside] >= 0].min() == first
    # clusters of their own anew drop the parts
    assert "subcluster" not in both.cluster_particles(resamples=0).columns


def test_missing_numbers(make_kinds):
    table, truth = make_kinds()
    values = [rows["perimeter"].copy() for rows in table.data]
    values[0][:2] = np.nan
    one = with_column(table, "perimeter", values, "f8", "nm")
    with pytest.warns(UserWarning, match=r"elliptic_compactness \(2\)"):
        found = one.cluster_particles(resamples=0)
    assert adjusted_rand_score(truth, found["cluster"]) > 0.95
    with pytest.warns(UserWarning, match="in no cluster"):
        alone = one.cluster_particles("perimeter", resamples=0)
    np.testing.assert_array_equal(alone["cluster"][:2], -1)
    with pytest.raises(ValueError, match="No particle has a number in empty"):
        empty = with_column(table, "empty", [np.nan * v for v in values], "f8", "")
        empty.cluster_particles(("empty", "circularity"))


def test_values_without_a_logarithm_are_missing_too(make_kinds):
    """Dark particles, or those of images whose background was taken off, have intensities below zero."""
    table, _ = make_kinds()
    values = [rows["perimeter"].copy() for rows in table.data]
    values[0][:3] *= -1
    below = with_column(table, "intensity", values, "f8", "")
    with pytest.warns(UserWarning, match=r"intensity \(3\)"):
        below.cluster_particles(("intensity", "circularity"), resamples=0)


def test_scaling_by_hand(make_rows):
    rows = make_rows(np.array([1.0, np.e, np.e**2, np.nan]), np.ones(4), np.array([0.0, 1.0, 5.0, 2.0]))
    scaling = fit_scaling(rows, ("equivalent_circular_diameter", "circularity"))
    np.testing.assert_allclose(scaling.centres, [1, 1.5])
    np.testing.assert_allclose(scaling.scales, [1.4826, 1.4826])  # distances 1, 0, 1 and 1.5, .5, 3.5, .5
    features, known = scaling(rows)
    np.testing.assert_allclose(features[:, 0] * 1.4826, [-1, 0, 1, 0], atol=1e-12)
    assert known.all()


def test_particles_cut_by_the_border_are_assigned_but_not_fitted(make_kinds):
    table, truth = make_kinds(count=400)
    rng = np.random.default_rng(0)
    cut = np.arange(400) % 4 == 0
    edges = np.cumsum([len(rows) for rows in table.data])[:-1]
    # what is left of them is smaller, and looks like a kind of its own
    sizes = np.where(cut, 1.6 * np.exp(0.05 * rng.normal(size=400)), table["equivalent_circular_diameter"])
    table = with_column(table, "equivalent_circular_diameter", np.split(sizes, edges), "f8", "nm")
    flagged = with_column(table, "touches_border", np.split(cut, edges), "?", "")
    assert table.cluster_particles(resamples=0).metadata.particlespy_ml.clustering.n_clusters > 3
    found = flagged.cluster_particles(resamples=0)
    record = found.metadata.particlespy_ml.clustering
    assert record.n_clusters == 3 and record.rows_fitted == 300
    assert adjusted_rand_score(truth[~cut], found["cluster"][~cut]) > 0.97
    # where most are cut, they are all there is
    most = with_column(table, "touches_border", np.split(np.arange(400) % 4 > 0, edges), "?", "")
    assert most.cluster_particles(resamples=0).metadata.particlespy_ml.clustering.rows_fitted == 400


def test_bad_input(make_kinds):
    table, _ = make_kinds(count=60)
    with pytest.raises(ValueError, match="Cannot cluster by 'colour'; expected some of"):
        table.cluster_particles(("colour",))
    with pytest.raises(ValueError, match="no columns"):
        table.cluster_particles(())
    with pytest.raises(ValueError, match="named twice"):
        table.cluster_particles(("x", "x"))
    with pytest.raises(ValueError, match="method='magic'"):
        table.cluster_particles(method="magic")
    with pytest.raises(ValueError, match="not clustered"):
        table.cluster_particles(within=0)
    found = table.cluster_particles(resamples=0)
    with pytest.raises(ValueError, match="no particle in cluster 9"):
        found.cluster_particles(within=9)
    one = table.select(np.arange(60) == 5)
    with pytest.raises(ValueError, match="There is 1 particle in the table"):
        one.cluster_particles()
    none = table.select(np.zeros(60, bool))
    with pytest.raises(ValueError, match="0 particle"):
        none.cluster_particles()
    same = with_column(table, "circularity", [np.full(len(rows), 0.5) for rows in table.data], "f8", "")
    with pytest.raises(ValueError, match="have the same circularity"):
        same.cluster_particles("circularity")


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("fixture", ["two_disks", "series", "grid"])
def test_shape_of_outlines_and_images(request, fixture, lazy, same_rows):
    image = request.getfixturevalue(fixture)
    table = image.measure_particles(np.asarray(image.data) > 2.5)
    expected = table.measure_shape(image=image)
    assert {"fourier_2", "hu_7", "zernike_6_6", "intensity_hu_1", "radial_8"} <= set(expected.columns)
    assert expected["fourier_2"].max() < 0.05 and expected["radial_1"] == pytest.approx(1, abs=0.1)
    if lazy:
        image = image.as_lazy()
        found = image.measure_particles(np.asarray(image.data) > 2.5).measure_shape(image=image)
        assert found._lazy
        found.compute()
        same_rows(found, expected)
    alone = table.measure_shape("fourier")
    np.testing.assert_array_equal(alone["fourier_4"], expected["fourier_4"])


def test_embedding(two_disks, model_folder):
    table = two_disks.measure_particles().measure_shape("embedding", two_disks, model=model_folder)
    assert table["embedding"].shape == (2, 8) and np.isfinite(table["embedding"]).all()
    assert "embedding" not in table.to_dataframe()
    assert table.metadata.particlespy_ml.embedding.model == "random"


def test_the_embedding_is_what_the_last_layer_sees(model_folder):
    import torch

    from particlespy_ml.models.load import load_model

    model = load_model(model_folder)
    windows = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)
    last = model._network()[1][-1]
    with torch.inference_mode():
        logits = last(torch.from_numpy(model.embed(windows))).numpy()
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, model.predict(windows), atol=1e-5)
    assert model.embed(windows[:0]).shape == (0, model.embedding_width)


def test_shape_of_bad_input(two_disks, make_kinds):
    table = two_disks.measure_particles()
    with pytest.raises(ValueError, match="Unknown shape features 'colour'"):
        table.measure_shape("colour")
    with pytest.raises(ValueError, match="radial must see the image"):
        table.measure_shape(("fourier", "radial"))
    with pytest.raises(ValueError, match="no outlines"):
        make_kinds()[0].measure_shape()
    with pytest.raises(ValueError, match="measured on frames of"):
        table.measure_shape("radial", two_disks.isig[:50])


def test_vectors_enter_by_their_main_components(make_kinds):
    table, truth = make_kinds()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(truth), 20)) + 8 * (truth[:, None] == np.arange(20))
    parts = np.split(vectors, np.cumsum([len(rows) for rows in table.data])[:-1])
    table = with_column(table, "embedding", parts, ("f4", (20,)), "")
    found = table.cluster_particles("embedding", resamples=0)
    assert adjusted_rand_score(truth, found["cluster"]) > 0.95
