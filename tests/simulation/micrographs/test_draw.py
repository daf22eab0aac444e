"""Micrographs and what is recorded of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.simulation.micrographs.draw import draw_micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.simulation.micrographs.record import annotate, compressed, record_micrograph
from particlespy_ml.simulation.micrographs.supports import KINDS, draw_support, random_field

CLEAN = MicrographRecipe(
    coarser=(0.0, 1.0),
    supports=(("none", 1.0),),
    mixed=0.0,
    diameter=(12.0, 25.0),
    large=(0.0, 30.0, 60.0),
    contrast=(20.0, 30.0),
    noise=(0.01, 0.02),
    individual=0.0,
    atoms=0.0,
    fringes=0.0,
    empty=0.0,
    inverted=0.0,
    scan_noise=0.0,
    gradient=0.0,
    gamma=0.0,
    clipped=0.0,
    compressed=0.0,
    annotated=0.0,
)


def draw(recipe, seed, shape=(128, 160)):
    return draw_micrograph(recipe, shape, np.random.default_rng(seed))


def test_the_same_seed_draws_the_same():
    first, second = draw(MicrographRecipe(), 3), draw(MicrographRecipe(), 3)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert not np.array_equal(first.image, draw(MicrographRecipe(), 4).image)


def test_every_micrograph_is_finite_and_its_labels_are_numbered():
    for seed in range(40):
        seen = draw(MicrographRecipe(), seed, (64, 96))
        assert seen.image.shape == seen.labels.shape == (64, 96) and np.isfinite(seen.image).all()
        assert set(np.unique(seen.labels)) - {0} == set(range(1, len(seen.diameters) + 1))


def test_particles_are_bright_where_labels_say():
    for seed in range(8):
        seen = draw(CLEAN, seed)
        inside = ndi.binary_erosion(seen.labels > 0, iterations=3)
        outside = ~ndi.binary_dilation(seen.labels > 0, iterations=4)
        assert seen.labels.max() > 0
        if inside.any() and outside.any():
            assert np.median(seen.image[inside]) > np.median(seen.image[outside]) + 0.05


def test_particles_stay_on_their_support():
    recipe = replace(CLEAN, supports=(("spheres", 1.0),), on_support=1.0, coverage=(0.05, 0.2))
    on, found = [], 0
    for seed in range(12):
        seen = draw(recipe, seed)
        found += seen.labels.max()
        on += [(seen.support[seen.labels == n + 1] > 0).mean() for n in range(seen.labels.max())]
    assert found > 20 and np.mean(np.array(on) > 0.45) > 0.95


def test_empty_and_inverted():
    assert draw(replace(CLEAN, empty=1.0), 0).labels.max() == 0
    seen = draw(replace(CLEAN, inverted=1.0), 1)
    inside = ndi.binary_erosion(seen.labels > 0, iterations=3)
    assert seen.inverted and seen.image[inside].mean() < seen.image[seen.labels == 0].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_support_has_a_mean_of_one_where_it_is(kind):
    for seed in range(6):
        support = draw_support(kind, (64, 80), np.random.default_rng(seed))
        assert support.shape == (64, 80) and support.min() >= 0 and np.isfinite(support).all()
        if (support > 0).any():
            assert support[support > 0].mean() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_power_of_a_random_field_falls_as_asked(exponent):
    power = 0
    for seed in range(6):
        field = random_field((128, 128), exponent, np.random.default_rng(seed))
        power = power + np.abs(np.fft.fft2(field * np.outer(*[np.hanning(128)] * 2))) ** 2
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128)] * 2))
    low = power[(frequency > 0.04) & (frequency < 0.05)].mean()
    high = power[(frequency > 0.3) & (frequency < 0.4)].mean()
    ratio = (frequency[(frequency > 0.3) & (frequency < 0.4)].mean() / 0.045) ** -exponent
    assert high / low == pytest.approx(ratio, rel=0.5)


def test_noise_is_as_asked():
    signal = np.zeros((96, 96), np.float32)
    signal[30:60, 30:60] = 1.0
    quiet = replace(CLEAN, noise=(0.05, 0.0501), smoothed=0.0, blur=(0.3, 0.301))
    image = record_micrograph(signal, 1.0, 30.0, quiet, np.random.default_rng(0)).image
    contrast = image[40:50, 40:50].mean() - image[:20, :20].mean()
    both = np.sqrt((image[35:55, 35:55].var() + image[:25].var()) / 2)
    assert both / contrast == pytest.approx(0.05, rel=0.5)


def test_labels_move_with_the_lines_of_a_scan():
    recipe, moved = replace(CLEAN, scan_noise=1.0, noise=(0.01, 0.0101)), 0
    for seed in range(8):
        seen = draw(recipe, seed)
        rough = record_micrograph(np.ones((40, 40)), 1.0, 10.0, recipe, np.random.default_rng(seed)).shift
        moved += np.abs(rough).max() > 1
        inside = seen.image > (seen.image.min() + 0.3 * np.ptp(seen.image))
        assert np.logical_and(inside, seen.labels > 0).sum() > 0.8 * inside.sum()
    assert moved


def test_annotations_and_compression_change_little_else():
    image = np.random.default_rng(0).uniform(0.3, 0.6, (96, 96))
    before = image.copy()
    annotate(image, np.random.default_rng(1))
    assert 0 < (image != before).mean() < 0.5
    assert np.abs(compressed(before, 90) - before).mean() < 0.03


def test_a_view_with_larger_pixels_shows_smaller_spheres():
    def widest(coarser):
        rng = np.random.default_rng(3)
        field = draw_support("spheres", (400, 400), rng, 30.0, coarser)
        return ndi.distance_transform_edt(field > 0).max() if (field == 0).any() else np.inf

    assert widest(4.0) < widest(1.0)
