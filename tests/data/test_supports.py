"""The drawn micrograph of particles on a support."""

import numpy as np
import pytest

from particlespy_ml import data


def test_the_same_seed_draws_the_same_and_truth_is_bright():
    s, again = data.particles_on_support(seed=2), data.particles_on_support(seed=2)
    np.testing.assert_array_equal(s.data, again.data)
    assert (s.data != data.particles_on_support(seed=3).data).any()
    labels = np.asarray(s.metadata.Simulation.labels)
    assert s.metadata.Signal.signal_type == "HAADF" and labels.shape == s.data.shape and s.data.dtype == np.uint16
    about = s.data[labels == 0]
    assert s.data[labels > 0].mean() > about.mean()


@pytest.mark.parametrize("arguments", [{"contrast": 0}, {"noise": -1}])
def test_what_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="above zero"):
        data.particles_on_support(**arguments)
