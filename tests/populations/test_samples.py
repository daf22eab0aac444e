"""The known populations that the benchmark is made of, from micrograph to clusters and class averages."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks.populations import samples


@pytest.mark.slow
def test_from_micrographs_to_class_averages():
    rng = np.random.default_rng(4)
    numbers = rng.integers(3, size=2 * samples.CELLS**2)
    kinds = [samples.POPULATIONS[name] for name in samples.KINDS]
    series, table, truth = samples.measured_sample(kinds, numbers, 11)
    assert (truth >= 0).mean() > 0.97
    np.testing.assert_array_equal(np.bincount(truth[truth >= 0]), np.bincount(numbers))
    found = table.cluster_particles(resamples=0)
    assert found.metadata.particlespy_ml.clustering.n_clusters == 3
    assert adjusted_rand_score(truth, found["cluster"]) > 0.9
    stack = series.extract_particles(found, box="80 px", remove_background=True)
    means = stack.class_averages(found)
    assert means.data.shape == (3, 80, 80)
    # rods are the kind whose mean is long
    y, x = np.indices((80, 80)) - 40
    spread = [np.linalg.eigvalsh(np.cov(x.ravel(), y.ravel(), aweights=np.maximum(m, 0).ravel())) for m in means.data]
    ratio = np.sqrt([large / small for small, large in spread])
    assert ratio.argmax() == np.bincount(found["cluster"][(truth == 1) & (found["cluster"] >= 0)]).argmax()
    assert np.sort(ratio)[-1] > 1.3 > np.sort(ratio)[1]
