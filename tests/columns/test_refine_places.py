"""Places by profiles of single columns: against images that are made of them, and of waves that interfere."""

import numpy as np
import pytest

from particlespy_ml.columns import ColumnProfiles, refine_columns, refine_places
from particlespy_ml.quality.noise import Noise

PIXEL, STEP = 0.2, 0.1
WIDTHS = {1: 0.55, 2: 0.5, 3: 0.45}  # Å


def wave(r2, height):
    """A wave that has spread: rings around a bright middle."""
    return (0.25 * height + 0.35j) * np.exp(-(0.5 + 0.6j) * r2 / WIDTHS[height] ** 2) - 0.06j * np.exp(-r2 / 2)


def intensity(r2, height):
    return 0.1 * height * np.exp(-0.5 * r2 / WIDTHS[height] ** 2) + 0.02 * np.exp(-r2 / 3)


def profiles(function):
    across = (np.arange(161) - 80) * STEP
    return ColumnProfiles(
        np.stack([function(across[:, None] ** 2 + across**2, h) for h in WIDTHS]), tuple(WIDTHS), STEP
    )


@pytest.fixture(scope="module", params=[wave, intensity], ids=["wave", "intensity"])
def case(request):
    """Image of sixteen columns of three heights, 2.5 Å apart, their places in pixels and heights."""
    rng = np.random.default_rng(3)
    places = np.array([(y, x) for y in range(4) for x in range(4)]) * 2.5 / PIXEL + 40
    places = places + rng.normal(0, 0.4, places.shape)
    heights = np.tile([1, 2, 3, 2], 4)
    axis = np.arange(120)
    total = 0.0
    for place, height in zip(places, heights, strict=True):
        r2 = ((axis[:, None] - place[0]) ** 2 + (axis - place[1]) ** 2) * PIXEL**2
        total = total + request.param(r2, height)
    image = np.abs(1 + total) ** 2 if np.iscomplexobj(total) else 0.3 + total
    return image, places, heights, profiles(request.param)


def test_places_are_found_where_gaussians_are_off(case):
    image, places, heights, known = case
    first = places + np.random.default_rng(0).normal(0, 0.5, places.shape)
    fit = refine_places(image, first, heights, known, PIXEL)
    assert fit.converged
    # pixels: intensities are cut where they have faded to 0.003 of their peak
    assert np.abs(fit.positions - places).max() < (2e-3 if known.is_wave else 6e-3)
    np.testing.assert_allclose(fit.amplitudes, 1, atol=2e-3 if known.is_wave else 2e-2)
    gaussians = refine_columns(image, places, width=0.55 / PIXEL)
    assert np.abs(gaussians.positions - places).max() > 10 * np.abs(fit.positions - places).max()


def test_what_should_not_matter_does_not(case):
    image, places, heights, known = case
    noisy = image + 0.01 * np.random.default_rng(1).normal(size=image.shape)
    plain = refine_places(noisy, places, heights, known, PIXEL)
    last = np.array(image.shape) - 1
    flipped = refine_places(noisy[::-1], np.abs([last[0], 0] - places), heights, known, PIXEL)
    np.testing.assert_allclose(np.abs([last[0], 0] - flipped.positions), plain.positions, atol=1e-3)
    turned = refine_places(noisy.T, places[:, ::-1], heights, known, PIXEL)
    np.testing.assert_allclose(turned.positions[:, ::-1], plain.positions, atol=1e-3)
    brighter = refine_places(500 * noisy.astype(np.float32), places, heights, known, PIXEL)
    np.testing.assert_allclose(brighter.positions, plain.positions, atol=1e-3)
    padded = refine_places(np.pad(noisy, 9, mode="edge"), places + 9, heights, known, PIXEL)
    np.testing.assert_allclose(padded.positions - 9, plain.positions, atol=1e-3)
    order = np.random.default_rng(2).permutation(len(places))
    mixed = refine_places(noisy, places[order], heights[order], known, PIXEL)
    np.testing.assert_allclose(mixed.positions, plain.positions[order], atol=1e-3)


def test_standard_errors_are_those_of_shot_noise(case):
    image, places, heights, known = case
    per_pixel, scores = 400.0, []
    for seed in range(5):
        noisy = np.random.default_rng(seed).poisson(image * per_pixel) / per_pixel
        fit = refine_places(noisy, places, heights, known, PIXEL, noise=Noise.of_dose(per_pixel))
        scores.append((fit.positions - places) / fit.position_errors)
        assert fit.chi2 == pytest.approx(1, abs=0.08)
    assert np.sqrt(np.mean(np.square(scores))) == pytest.approx(1, abs=0.2)  # 160 scores
    estimated = refine_places(noisy, places, heights, known, PIXEL)
    np.testing.assert_allclose(estimated.position_errors, fit.position_errors, rtol=0.3)


def test_one_column_and_columns_at_the_border(case):
    image, places, heights, known = case
    cut = image[int(places[:, 0].min()) :]
    moved = places - [int(places[:, 0].min()), 0]
    inside = (moved >= 0).all(1)
    fit = refine_places(cut, moved, heights, known, PIXEL) if inside.all() else None
    assert fit is not None and np.abs(fit.positions - moved).max() < 0.02
    axis = np.arange(60)
    r2 = ((axis[:, None] - 30.3) ** 2 + (axis - 29.6) ** 2) * PIXEL**2
    alone = wave(r2, 2) if known.is_wave else intensity(r2, 2)
    single = np.abs(1 + alone) ** 2 if known.is_wave else alone
    np.testing.assert_allclose(
        refine_places(single, [[30, 30]], [2], known, PIXEL).positions, [[30.3, 29.6]], atol=2e-3
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"image": np.full((20, 20), np.nan)}, "finite"),
        ({"positions": np.zeros((0, 2)), "heights": []}, "no columns"),
        ({"heights": [1, 2]}, "one for each"),
        ({"positions": [[3, 40]]}, "outside"),
        ({"pixel_size": 0}, "above zero"),
        ({"known": np.zeros((20, 20), bool)}, "recorded"),
    ],
)
def test_bad_input_is_refused(changes, text):
    given = {"image": np.ones((20, 20)), "positions": [[9, 9]], "heights": [1], "profiles": profiles(wave)}
    with pytest.raises(ValueError, match=text):
        refine_places(**{**given, "pixel_size": PIXEL, **changes})
