"""Columns, heights and lens of images that were made of single columns, from wrong ones to begin with."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.series_fit.model import SeriesModel
from particlespy_ml.simulation.series_fit.solve import defoci_to_try, fit_series, posterior_of
from particlespy_ml.simulation.waves.tilted_columns import tilted_columns

PIXEL = 0.25
LENS = Optics(spherical_aberration=-1.1e5, fifth_order=2e7, focal_spread=28.0, deflection=0.2)
NOMINAL = Optics(spherical_aberration=-1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.2)


@pytest.fixture(scope="module")
def library():
    return tilted_columns("Au", 2.884, 6, tilts=(0.0, 1.2, 2.4), configurations=1, sampling=0.18)


@pytest.fixture(scope="module")
def particle():
    """Places in Å and heights of a wedge along <110>."""
    places = np.array([(7 + 2.04 * x, 7 + 2.884 * (y + 0.5 * (x % 2))) for x in range(4) for y in range(4)])
    heights = np.array([1 + (x + y) % 4 + (x > 2) for x in range(4) for y in range(4)])
    return places, heights


def taken(particle, library, defoci, dose, tilt=(0.4, 0.2), seed=0, kinds=None):
    places, heights = particle
    lens = replace(Lens.start(np.array(defoci), LENS), tilt=np.array(tilt))
    lens = replace(lens, rest=np.concatenate([lens.rest[:10], np.zeros(4)]))
    model = SeriesModel(np.ones((len(defoci), 96, 84)), PIXEL, places, heights, library, lens, kinds)
    images = [model.image(number, lens, model.spectrum)[0] for number in range(len(defoci))]
    counts = np.random.default_rng(seed).poisson(np.maximum(images, 0) * dose * PIXEL**2)
    return counts.astype(np.float32)


def test_a_series_tells_heights_places_and_lens(particle, library):
    places, heights = particle
    images = taken(particle, library, (40.0, -90.0, -220.0), 8e3)
    rng = np.random.default_rng(1)
    wrong = np.clip(heights + rng.integers(-1, 2, len(heights)), 1, 6)
    start = places + 0.08 * rng.normal(size=places.shape)
    fit = fit_series(images, PIXEL, start, wrong, library, NOMINAL, defoci_to_try(3, (-130.0,), (0.0, 80.0)))
    assert (fit.heights == heights).mean() >= 0.9
    off = (fit.places - places) / fit.errors
    assert np.sqrt(np.mean((fit.places - places) ** 2)) < 0.03 and 0.4 < np.sqrt(np.mean(off**2)) < 2.0
    np.testing.assert_allclose([one.defocus for one in fit.optics], [40, -90, -220], atol=12)
    assert 0.8 < fit.misfit < 1.5  # bright columns are noisier than vacuum
    assert fit.expected.shape == images.shape and fit.posterior.shape == (16, 6)
    np.testing.assert_allclose(fit.posterior.sum(1), 1)


def test_columns_of_two_elements_all_off_by_one(particle, library):
    """Every second column is of silver, which scatters less: heights are told by each column's own waves."""
    places, heights = particle
    kinds = np.arange(len(heights)) % 2
    silver = tilted_columns("Ag", 2.884, 6, tilts=(0.0, 1.2, 2.4), configurations=1, sampling=0.18)
    both = library.beside(silver)
    images = taken(particle, both, (-80.0,), 3e4, tilt=(0.0, 0.0), kinds=kinds)
    tries = defoci_to_try(1, (0.0,), (-100.0, -60.0))
    fit = fit_series(images, PIXEL, places, np.clip(heights - 1, 1, 6), both, NOMINAL, tries, kinds)
    assert (fit.heights == heights).mean() >= 0.8
    assert abs(fit.optics[0].defocus + 80) < 15
    assert both.highest == 6 and fit.posterior.shape == (16, 6)


def test_solutions_that_fit_alike_share_the_probability():
    costs = np.array([[[0.0, 400.0, 400.0]], [[400.0, 0.0, 400.0]]])
    alike = posterior_of(np.array([50.0, 50.0]), costs, 2.0)
    np.testing.assert_allclose(alike, [[0.5, 0.5, 0.0]], atol=1e-6)
    better = posterior_of(np.array([50.0, 58.0]), costs, 2.0)
    np.testing.assert_allclose(better[0, 0], 1 / (1 + np.exp(-2)), rtol=1e-6)
