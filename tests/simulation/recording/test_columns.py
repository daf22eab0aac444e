"""Recorded images of waves whose columns are known."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.simulation.datasets.column_waves import ColumnField, Film
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, record_columns

EDGE, PIXELS = 32.0, 128
PLAIN = ColumnImagingRecipe(
    dose=(1e6, 1e6),
    pixel_size=(0.2, 0.2),
    defocus=((1.0, -70.0, -70.0),),
    spherical_aberration=(-1e5, -1e5),
    fifth_order=(0.0, 0.0),
    astigmatism=0.0,
    coma=0.0,
    threefold=0.0,
    focal_spread=(20.0, 20.0),
    beam_semiangle=0.0,
    deflection=(0.0, 0.0),
    drift=0.0,
    film=(0.0, 1.0, 1.0),
    empty=0.0,
    mtf=(0.0, 0.0, 1.0),
    gain=0.0,
    readout=0.0,
    illumination=0.0,
    gamma=(0.0, 1.0),
    scale_error=0.0,
    shear=0.0,
)


def field_of(places, heights=None):
    """A wave with a phase peak at each place."""
    x = np.arange(PIXELS) * EDGE / PIXELS
    phase = np.zeros((PIXELS, PIXELS))
    heights = np.ones(len(places), int) if heights is None else np.asarray(heights)
    for (cx, cy), height in zip(places, heights, strict=True):
        dx, dy = ((x - c + EDGE / 2) % EDGE - EDGE / 2 for c in (cx, cy))
        phase += 0.3 * height * np.exp(-(dy[:, None] ** 2 + dx**2) / (2 * 0.35**2))
    parameters = {"edge": EDGE, "energy": 300e3, "film": ""}
    wave = np.exp(1j * phase).astype(np.complex64)
    return ColumnField(wave, np.array(places, float).reshape(-1, 2), heights, np.zeros(len(places), int), parameters)


def middles(image, places, reach=4):
    """Centre of light in the window about each place, in pixels."""
    found = []
    for row, column in np.rint(places).astype(int):
        window = image[row - reach : row + reach + 1, column - reach : column + reach + 1]
        window = np.maximum(window - np.median(image), 0)
        axis = np.arange(-reach, reach + 1)
        found.append([row + (window.sum(1) @ axis) / window.sum(), column + (window.sum(0) @ axis) / window.sum()])
    return np.array(found)


@pytest.mark.parametrize("seed", range(4))
def test_columns_are_where_they_are_said_to_be(seed):
    field = field_of([(14.0, 15.0), (18.3, 17.1), (15.2, 19.4)])
    seen = record_columns(field, PLAIN, np.random.default_rng(seed), view=20.0, middle=np.array([16.0, 16.0]))
    assert seen.images.shape == (1, 100, 100) and len(seen.places) == 3
    np.testing.assert_allclose(middles(seen.images[0], seen.places), seen.places, atol=0.15)


def test_the_field_is_periodic():
    field = field_of([(1.0, 1.0)])
    seen = record_columns(field, PLAIN, np.random.default_rng(0), view=20.0, middle=np.array([31.0, 31.0]))
    assert len(seen.places) == 1
    np.testing.assert_allclose(middles(seen.images[0], seen.places), seen.places, atol=0.15)


def test_the_dose_is_that_of_the_vacuum():
    seen = record_columns(field_of([]), replace(PLAIN, dose=(500.0, 500.0)), np.random.default_rng(0), view=24.0)
    per_pixel = 500 * 0.2**2
    assert seen.images.mean() == pytest.approx(per_pixel, rel=0.01)
    assert seen.images.var() == pytest.approx(per_pixel, rel=0.05)


def test_a_camera_blurs_noise_or_the_image_alone():
    blurred = replace(PLAIN, dose=(500.0, 500.0), mtf_floor=(0.0, 0.0), mtf_half_width=(0.3, 0.3), mtf_exponent=(2, 2))
    both = record_columns(field_of([]), replace(blurred, mtf=(1, 0, 0)), np.random.default_rng(0), view=24.0)
    image = record_columns(field_of([]), replace(blurred, mtf=(0, 1, 0)), np.random.default_rng(0), view=24.0)
    q = np.hypot(np.fft.fftfreq(120)[:, None], np.fft.fftfreq(120)) * 2
    spectrum = np.abs(np.fft.fft2(both.images[0])) ** 2 / 500 / 0.2**2 / 120**2
    expected = (1 / (1 + (q / 0.3) ** 2)) ** 2
    ring = (q > 0.45) & (q < 0.55)
    assert spectrum[ring].mean() == pytest.approx(expected[ring].mean(), rel=0.25)
    assert image.images.var() == pytest.approx(500 * 0.2**2, rel=0.05)


def test_an_empty_view_has_no_columns():
    field = field_of([(16.0, 16.0)])
    seen = record_columns(field, replace(PLAIN, empty=1.0), np.random.default_rng(0), view=20.0)
    assert seen.told["empty"] and len(seen.places) == 0
    assert np.ptp(seen.images) < 0.1 * seen.images.mean()


def test_a_film_adds_contrast_and_no_columns():
    rng = np.random.default_rng(0)
    phase = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(PIXELS, PIXELS))) * (np.fft.rfftfreq(PIXELS) < 0.2))
    film = Film(np.exp(0.2j * phase)[None].astype(np.complex64), (300e3,), 10.0, EDGE)
    with_film = replace(PLAIN, film=(1.0, 1.0, 1.0))
    clean, covered = (
        record_columns(field_of([(16.0, 16.0)]), recipe, np.random.default_rng(1), view=24.0, film=film)
        for recipe in (PLAIN, with_film)
    )
    assert covered.told["film"] and not clean.told["film"]
    assert covered.images.std() > 1.5 * clean.images.std()
    assert len(covered.places) == 1


def test_a_focal_series_shares_the_geometry():
    field = field_of([(16.0, 16.0), (18.5, 16.0)])
    recipe = replace(PLAIN, images=3, focal_step=60.0, focal_jitter=0.0, misalignment=0.0, dose=(3e6, 3e6))
    seen = record_columns(field, recipe, np.random.default_rng(2), view=20.0, middle=np.array([16.0, 16.0]))
    assert seen.images.shape == (3, 100, 100)
    np.testing.assert_allclose(np.diff(seen.told["defocus"]), -60.0)
    assert seen.images[0].mean() == pytest.approx(1e6 * 0.2**2, rel=0.01)  # a third of the dose
    assert np.abs(np.corrcoef(seen.images.reshape(3, -1))[0, 1]) > 0.2


def test_the_told_pixel_size_is_off_by_the_error_of_the_calibration():
    sizes = [
        record_columns(field_of([]), replace(PLAIN, scale_error=0.02), np.random.default_rng(seed), view=8.0).pixel_size
        for seed in range(20)
    ]
    assert 0.196 <= min(sizes) < 0.199 and 0.201 < max(sizes) <= 0.204


def test_everything_that_can_be_drawn_gives_finite_images():
    rng = np.random.default_rng(7)
    field = field_of(rng.uniform(8, 24, (20, 2)), rng.integers(1, 5, 20))
    film = Film(field.wave[None], (300e3,), 12.0, EDGE)
    for seed in range(12):
        seen = record_columns(field, ColumnImagingRecipe(), np.random.default_rng(seed), view=12.0, film=film)
        assert np.isfinite(seen.images).all() and np.ptp(seen.images) > 0
        assert len(seen.places) == len(seen.heights) == len(seen.kinds)
