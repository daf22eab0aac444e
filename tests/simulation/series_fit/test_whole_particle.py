"""All columns of a particle fitted together: derivatives, and numbers of atoms from wrong ones to begin with."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.series_fit.model import SeriesModel
from particlespy_ml.simulation.series_fit.solve_particle import covariance_of, fit_columns_and_lens
from particlespy_ml.simulation.series_fit.whole_particle import NUMBERS, ParticleColumns, ParticleModel, cropped
from particlespy_ml.simulation.waves.tilted_columns import tilted_columns

PIXEL, NEAREST = 0.25, 2.498
LENS = Optics(spherical_aberration=-1.1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.2)
DEFOCI = np.array([40.0, -90.0, -220.0])


@pytest.fixture(scope="module")
def library():
    return tilted_columns("Au", 2.884, 3, tilts=(0.0, 1.2), configurations=1, sampling=0.2)


@pytest.fixture(scope="module")
def particle():
    """Places in Å and heights of a wedge along <110>."""
    places = np.array([(6 + 2.04 * x, 6 + 2.884 * (y + 0.5 * (x % 2))) for x in range(3) for y in range(3)])
    return places, np.array([1 + (x + y) % 3 for x in range(3) for y in range(3)])


def model_of(particle, library, images, heights):
    places, _ = particle
    start = SeriesModel(images, PIXEL, places, np.rint(heights), library, Lens.start(DEFOCI[: len(images)], LENS))
    return ParticleModel(start, heights, np.full(len(heights), 1.5), "Au", NEAREST)


def taken(particle, library, tilt, dose, seed=0):
    places, heights = particle
    blank = model_of(particle, library, np.ones((3, 72, 60)), heights.astype(float))
    lens = replace(blank.lens, tilt=np.array(tilt), rest=np.concatenate([blank.lens.rest[:10], [0.0, 0.001, 0.0, 0.0]]))
    spectrum = blank.spectrum_of(blank.whole, lens)
    images = np.stack([blank.image(number, lens, spectrum)[0] for number in range(3)])
    counts = np.random.default_rng(seed).poisson(np.maximum(images, 0) * dose / 3 * PIXEL**2)
    return counts.astype(np.float32)


def test_numbers_of_atoms_and_tilt_from_wrong_ones(particle, library):
    _, heights = particle
    images = taken(particle, library, (0.5, -0.3), 1e5)
    rng = np.random.default_rng(1)
    wrong = np.maximum(heights + rng.uniform(-0.8, 0.8, len(heights)), 0.6)
    model = model_of(particle, library, images, wrong)
    model.measure_noise()
    before = model.squares()
    after = fit_columns_and_lens(model, 4)
    assert after < before
    away = model.whole.heights - heights
    assert np.abs(away).max() < 0.4 and away.std() < 0.15 < np.std(wrong - heights)
    # columns of up to three atoms lean by chance as a tilt would make them
    cut = len(model.lens.vector)
    doubt = np.sqrt(np.diag(covariance_of(model)))[cut - 2 : cut]
    assert (np.abs(model.lens.tilt - (0.5, -0.3)) < 3 * doubt).all() and doubt.max() < 1.2


def test_derivatives_of_columns_are_those_of_each_alone(particle, library):
    images = taken(particle, library, (0.0, 0.0), 3e4)
    _, heights = particle
    model = model_of(particle, library, images, heights + 0.2)
    model.measure_noise()
    left = model.residual_images()
    slopes = model.column_slopes(left).toarray()
    column, step = 4, 0.02
    for kind in (0, 2):
        change = np.zeros((len(heights), NUMBERS))
        change[column, kind] = step
        alone = model.residual_images(spectrum=model.spectrum_of(model.whole.moved(change), model.lens)) - left
        expected = alone.ravel() / step
        own = slopes[NUMBERS * column + kind]
        assert own @ expected / np.linalg.norm(own) / np.linalg.norm(expected) > 0.95
    known = model.known_slopes()
    assert known.shape == (len(model.lens.vector) + 9 * NUMBERS, len(model.known(model.whole, model.lens)))


def test_columns_that_do_not_lean(particle, library):
    images = taken(particle, library, (0.4, 0.0), 3e4)
    _, heights = particle
    start = model_of(particle, library, images, heights + 0.2)
    model = ParticleModel(start, heights + 0.2, np.full(len(heights), 1.5), "Au", NEAREST, leaning=False)
    model.measure_noise()
    fit_columns_and_lens(model, 1)
    assert np.abs(model.whole.leans).max() < 1e-6 and abs(model.lens.strength) < 1e-6
    assert np.abs(model.whole.heights - heights - 0.2).max() > 0.02


def test_a_film_is_told_by_noise_that_changes_with_the_defocus(particle, library):
    _, heights = particle
    images = taken(particle, library, (0.0, 0.0), 1e4)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n, PIXEL) for n in images.shape[1:]], indexing="ij"))
    film = []
    for number, image in enumerate(images):
        noise = np.fft.fft2(np.random.default_rng(number).normal(size=image.shape))
        rings = np.exp(-(((frequency - 0.25 - 0.15 * number) / 0.1) ** 2))
        film.append(image * (1 + 0.3 * np.fft.ifft2(noise * rings).real))
    told = []
    for seen in (images, np.array(film), images[:1]):
        model = model_of(particle, library, seen, heights.astype(float))
        model.measure_noise()
        told.append(model.unlike_noise())
    assert told[1] > 2 * told[0] and told[2] == 0


def test_steps_of_columns_are_limited():
    columns = ParticleColumns(np.zeros((2, 2)), np.array([1.0, 4.0]), np.zeros(2), np.zeros(2), np.zeros((2, 2)))
    moved = columns.moved(np.array([[9, -9, -9, 9, -1, 9, -9], [0.1, 0, 1, 0, 0, 0, 0.01]], float), least_motion=-0.003)
    np.testing.assert_allclose(moved.places, [(0.15, -0.15), (0.1, 0)])
    np.testing.assert_allclose(moved.heights, [0.3, 5.0])
    np.testing.assert_allclose(moved.motions, [-0.003, 0])
    np.testing.assert_allclose(moved.leans, [(0.06, -0.06), (0, 0.01)])
    np.testing.assert_allclose(moved.ends[1], (-2.5, 2.5))


def test_fewer_pixels_keep_what_they_can_show():
    y, x = np.mgrid[:24, :30] / np.array([24, 30])[:, None, None]
    image = 1 + np.cos(2 * np.pi * (2 * x + y))
    fewer = np.fft.ifft2(cropped(np.fft.fft2(image), (12, 15))).real
    np.testing.assert_allclose(fewer, image[::2, ::2], atol=1e-5)
