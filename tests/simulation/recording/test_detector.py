from dataclasses import replace

import numpy as np
import pytest
import torch

from particlespy_ml.simulation.recording import detector
from particlespy_ml.simulation.recording.detector import DetectorRecipe

PARTS = (slice(15, 45), slice(45, 75), slice(75, 105))  # rows about three dots


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads cost more than they bring in arrays as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def point_images(n=3, size=65):
    images = torch.zeros(n, size, size)
    images[:, size // 2, size // 2] = 1
    return images


def second_moments(image, step):
    axis = (np.arange(image.shape[-1]) - image.shape[-1] // 2) * step
    image = image.numpy() / float(image.sum())
    return image.sum(0) @ axis**2, image.sum(1) @ axis**2


def test_source_has_the_given_width_along_both_axes():
    fwhm = torch.tensor([1.0, 1.5, 2.0])
    blurred = detector.blur_source(point_images(), 0.3, fwhm, torch.tensor([0, 0, 0.4]), torch.zeros(3))
    np.testing.assert_allclose(blurred.sum((1, 2)), 1, rtol=1e-4)
    sigma = fwhm.numpy() / 2.3548
    assert second_moments(blurred[0], 0.3) == pytest.approx((sigma[0] ** 2, sigma[0] ** 2), rel=1e-3)
    assert second_moments(blurred[2], 0.3) == pytest.approx(((1.2 * sigma[2]) ** 2, (0.8 * sigma[2]) ** 2), rel=1e-3)


def test_sample_on_the_same_grid_changes_nothing_and_offset_moves():
    images = torch.rand(2, 20, 20)
    matrix = torch.eye(2).repeat(2, 1, 1)
    same = detector.sample(images, 0.3, matrix, torch.zeros(2, 2), 20, 0.3)
    np.testing.assert_allclose(same, images, atol=1e-5)
    moved = detector.sample(images, 0.3, matrix, torch.tensor([[0.3, 0.0]] * 2), 20, 0.3)
    np.testing.assert_allclose(moved[:, :, :-1], images[:, :, 1:], atol=1e-5)
    rows = torch.zeros(2, 20, 2)
    rows[:, 4, 0] = 0.3
    rows[:, 7, 1] = -0.3
    jittered = detector.sample(images, 0.3, matrix, torch.zeros(2, 2), 20, 0.3, rows)
    np.testing.assert_allclose(jittered[:, 4, :-1], images[:, 4, 1:], atol=1e-5)
    np.testing.assert_allclose(jittered[:, 5], images[:, 5], atol=1e-5)
    np.testing.assert_allclose(jittered[:, 7], images[:, 6], atol=1e-5)


def test_rotations_are_rotations_and_mirrors(generator):
    matrices = detector.rotations(200, 0.0, 0.0, generator)
    np.testing.assert_allclose(matrices @ matrices.transpose(1, 2), np.tile(np.eye(2), (200, 1, 1)), atol=1e-6)
    signs = torch.linalg.det(matrices).round()
    assert 60 < int((signs == 1).sum()) < 140 and set(signs.tolist()) == {1.0, -1.0}


def test_counts_have_mean_and_variance_of_dose_times_area(generator):
    images = torch.full((1, 300, 300), 0.05)
    counts = detector.count_electrons(images, torch.tensor([1e3]), 0.4, torch.tensor([0.0]), generator)
    assert counts.mean().item() == pytest.approx(8, rel=0.01)
    assert counts.var().item() == pytest.approx(8, rel=0.03)
    noisy = detector.count_electrons(images, torch.tensor([1e3]), 0.4, torch.tensor([2.0]), generator)
    assert noisy.var().item() == pytest.approx(12, rel=0.03)


def test_support_film_has_unit_rms_and_its_correlation_length(generator):
    film = detector.support_film(8, 256, 0.4, torch.full((8,), 6.0), torch.zeros(8), generator)
    np.testing.assert_allclose(film.std((1, 2)), 1, rtol=1e-3)
    shift = 15  # pixels, that is 6 Å
    correlation = (film[:, :, shift:] * film[:, :, :-shift]).mean()
    assert correlation.item() == pytest.approx(np.exp(-1), abs=0.08)


def test_clipping_saturates_the_given_share():
    images = torch.rand(2, 50, 50)
    clipped = detector.clip(images, torch.tensor([0.1, 0.0]))
    assert (clipped[0] == clipped[0].max()).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(clipped[1], images[1])


def test_mixing_annuli_sums_or_takes_some(generator):
    images = torch.arange(3.0)[None, :, None, None].expand(500, 3, 1, 1) + 1
    assert (detector.mix_annuli(images, 0.0, generator) == 6).all()
    assert set(detector.mix_annuli(images, 1.0, generator).flatten().tolist()) == {1.0, 2.0, 3.0, 5.0, 6.0}


@pytest.mark.parametrize("pixel_size", [0.15, 0.3, 0.4, 0.55])
def test_resampling_keeps_a_smooth_image(pixel_size):
    n_pixels = int(np.ceil(64 * 0.4 / pixel_size)) + 1
    axis = (torch.arange(n_pixels) - (n_pixels - 1) / 2) * pixel_size
    image = torch.exp(-(axis**2 + axis[:, None] ** 2) / (2 * 4.0**2))
    result = detector.resample(image[None], pixel_size, 64, 0.4)
    axis = (torch.arange(64) - 31.5) * 0.4
    expected = torch.exp(-(axis**2 + axis[:, None] ** 2) / (2 * 4.0**2))
    np.testing.assert_allclose(result[0], expected, atol=0.01)


@pytest.mark.parametrize("pixel_size", [0.1, 0.23, 0.4, 0.6])
def test_detect_is_seeded_and_has_the_window(pixel_size):
    recipe = DetectorRecipe(pixel_size=(pixel_size, pixel_size), neighbours=1.0, border=0.5, clipping=(1.0, 0.1))
    images = 0.05 * torch.ones(5, 80, 80)
    radius = torch.full((5,), 8.0)
    first, second = (
        detector.detect(images, radius, recipe, torch.Generator().manual_seed(5), window=64) for _ in range(2)
    )
    assert first.shape == (5, 64, 64)
    assert torch.equal(first, second) and torch.isfinite(first).all()


def test_dose_sets_the_number_of_electrons_at_any_pixel_size():
    images = torch.zeros(4, 80, 80)
    images[:, 30:50, 30:50] = 0.05  # 36 Å^2
    for pixel_size in (0.1, 0.3, 0.6):
        recipe = DetectorRecipe().nominal(1e4, pixel_size=pixel_size)
        counts = detector.detect(images, torch.full((4,), 3.0), recipe, torch.Generator().manual_seed(0), window=64)
        acquired = pixel_size * max(1, int(0.4 / pixel_size))
        particle = counts.amax((1, 2)).mean().item()
        assert particle == pytest.approx(1e4 * 0.05 * acquired**2, rel=0.6)


def test_distortions_are_as_large_as_told_and_change_along_the_frame():
    """Two dots, one radius above and below the middle, as far apart as shear and stretch say."""
    images = torch.zeros(400, 121, 121)
    for row in (30, 60, 90):  # radius 9 Å
        images[:, row, 60] = 1
    images = detector.blur_source(images, 0.3, torch.full((400,), 1.5), torch.zeros(400), torch.zeros(400))
    recipe = DetectorRecipe(scale_error=0.0, shear=0.0, off_centre=0.0, far_off_centre=(0.0, 0.0), scan_jitter=0.0)
    for distortion in ((0.0, 0.06), (1.0, 0.06)):
        draw = detector._Draws(400, torch.Generator().manual_seed(4))
        radius = torch.full((400,), 9.0)
        geometry = detector._Geometry(replace(recipe, distortion=distortion), draw, 121, 0.3, radius, 0.3)
        geometry.matrix = torch.abs(torch.linalg.det(geometry.matrix))[:, None, None] ** 0.5 * torch.eye(2)
        seen = geometry.sample(images)
        axis = torch.arange(121.0)
        rows = [(seen[:, part].sum(2) * axis[part]).sum(1) / seen[:, part].sum((1, 2)) for part in PARTS]
        spacings = torch.stack([rows[1] - rows[0], rows[2] - rows[1]]) / 30
        change = (spacings[0] / spacings[1] - 1).abs()
        if distortion[0]:
            assert 0.045 < change.max() < 0.075 and 0.02 < change.mean() < 0.04
            assert 0.01 < (spacings.mean(0) - 1).abs().mean() < 0.03
        else:
            assert change.max() < 0.01


def test_unknown_setting_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="expected some of .*'dose'"):
        DetectorRecipe.from_dict({"dosis": 3})
