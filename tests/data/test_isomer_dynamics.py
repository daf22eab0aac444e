"""The movie with a known truth."""

import numpy as np
import pytest

import particlespy_ml as pml


def test_rates_keep_the_equilibrium():
    rates = pml.data.isomer_rates(700)
    weights = np.exp(-np.array([0.0, 0.05, 0.10]) / (8.617333262e-5 * 700))
    np.testing.assert_allclose(rates.sum(1), 0, atol=1e-12)
    flow = weights[:, None] * rates
    np.testing.assert_allclose(flow, flow.T, rtol=1e-9)  # detailed balance
    slope = np.log(pml.data.isomer_rates(710)[0, 1] / rates[0, 1]) / (1 / 700 - 1 / 710) * 8.617333262e-5
    assert slope == pytest.approx(1.72, rel=1e-6)


def test_frames_are_lazy_and_the_same_in_any_order():
    movie = pml.data.isomer_dynamics(710, frames=60, seed=4)
    assert movie._lazy and movie.data.shape == (60, 104, 104)
    assert movie.axes_manager.navigation_axes[0].units == "s"
    whole = movie.data.compute()
    np.testing.assert_array_equal(pml.data.isomer_dynamics(710, frames=60, seed=4).data[55].compute(), whole[55])
    assert not np.array_equal(pml.data.isomer_dynamics(710, frames=60, seed=5).data[55].compute(), whole[55])
    truth = movie.metadata.Simulation
    assert len(truth.states) == 60 and set(truth.states) <= {0, 1, 2}


def test_the_particle_is_found_in_every_frame():
    table = pml.data.isomer_dynamics(710, frames=12, seed=1).measure_particles(lazy_output=False)
    assert [len(rows) for rows in table.data] == [1] * 12
    assert 1.8 < np.median(table["equivalent_circular_diameter"]) < 2.8


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"frames": 0}])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="positive temperature"):
        pml.data.isomer_dynamics(**{"temperature": 700, "frames": 5, **wrong})
