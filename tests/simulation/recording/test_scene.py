"""Fields of view: particles where they were put, counts as a detector gives them."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.simulation.recording.scene import PlacedParticle, compose_haadf


def blob(size=41, width=4.0):
    """A Gaussian particle image with a maximum of 0.05."""
    axis = np.arange(size) - (size - 1) / 2
    return 0.05 * np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * width**2))


@pytest.mark.parametrize("pixel_size", [0.3, 0.5])
def test_particles_come_where_they_are_placed(pixel_size):
    field = compose_haadf([PlacedParticle(blob(), 0.3, (12.0, 21.0))], (80, 100), pixel_size, dose=1e6, support=0.0)
    counts = field - np.median(field)
    found = np.array(ndi.center_of_mass(np.clip(counts, 500, None) - 500)) * pixel_size
    np.testing.assert_allclose(found, [12.0, 21.0], atol=0.1)


def test_counts_are_electrons_times_gain():
    empty = compose_haadf([], (200, 200), 0.5, dose=1e4, support=0.01, support_roughness=0.0, gradient=0.0)
    electrons = 0.01 * 1e4 * 0.25
    signal = empty.astype(float) - 200
    assert signal.mean() == pytest.approx(20 * electrons, rel=0.01)
    assert signal.var() == pytest.approx(20**2 * (electrons + 0.09), rel=0.05)


def test_particles_beyond_the_edge_are_cut_and_overlaps_add():
    cut = compose_haadf([PlacedParticle(blob(), 0.3, (0.0, 10.0))], (60, 60), 0.3, dose=1e6, support=0.0)
    assert cut[0].max() > 20 * np.median(cut)
    far = compose_haadf([PlacedParticle(blob(), 0.3, (500.0, 10.0))], (60, 60), 0.3, dose=1e4, support=0.0)
    assert far.max() < 300
    one = compose_haadf([PlacedParticle(blob(), 0.3, (9.0, 9.0))], (60, 60), 0.3, dose=1e5, support=0.0)
    two = compose_haadf([PlacedParticle(blob(), 0.3, (9.0, 9.0))] * 2, (60, 60), 0.3, dose=1e5, support=0.0)
    assert two.max() - 200 == pytest.approx(2 * (float(one.max()) - 200), rel=0.1)


def test_seeds():
    settings = {"shape": (20, 20), "pixel_size": 0.5, "dose": 1e4}
    np.testing.assert_array_equal(compose_haadf([], seed=3, **settings), compose_haadf([], seed=3, **settings))
    assert (compose_haadf([], seed=3, **settings) != compose_haadf([], seed=4, **settings)).any()
