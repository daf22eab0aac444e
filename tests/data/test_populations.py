import numpy as np
import pytest

import particlespy_ml as pml


def test_micrographs_are_lazy_calibrated_and_repeatable():
    s = pml.data.three_populations(2, seed=3)
    assert s._lazy
    assert s.metadata.Signal.signal_type == "HAADF"
    assert s.axes_manager.signal_axes[0].scale == pytest.approx(0.07)
    first, again = np.asarray(s.inav[1].data), np.asarray(pml.data.three_populations(2, seed=3).inav[1].data)
    assert (first == again).all()
    assert (first != np.asarray(pml.data.three_populations(2, seed=4).inav[1].data)).any()


def test_the_truth_lies_where_the_particles_are():
    s = pml.data.three_populations(1)
    truth, table = s.metadata.Simulation, s.measure_particles()
    table.compute()
    assert table.n_particles == len(truth.x) == 25
    found = np.sort(table["x"])
    assert np.abs(found - np.sort(truth.x)).max() < 0.3


@pytest.mark.parametrize("arguments", [{"micrographs": 0}, {"dose": 0}])
def test_nothing_is_an_error(arguments):
    with pytest.raises(ValueError, match="above zero"):
        pml.data.three_populations(**arguments)
