"""The fit of all columns together, against closed forms and a dense calculation that shares nothing with it."""

import numpy as np
import pytest

from particlespy_ml.columns.fit.refine import gaussian_columns, measure_volumes, refine_columns
from particlespy_ml.quality.noise import Noise, estimate_noise

CLUSTER = np.array([[20.3, 20.1], [20.0, 30.2], [29.6, 25.0], [38.9, 20.4], [39.2, 30.1]])
VOLUMES = np.array([500.0, 800.0, 200.0, 650.0, 300.0])


def image_of(volumes=VOLUMES, width=2.2, background=1.0, shape=(60, 52)):
    return gaussian_columns(shape, CLUSTER, volumes, width, background)


def test_a_gaussian_has_its_volume_position_and_width():
    image = gaussian_columns((61, 61), [[30.25, 29.5]], 7.0, 2.5)
    rows, columns = np.indices(image.shape)
    assert image.sum() == pytest.approx(7, rel=1e-9)
    assert (image * rows).sum() / 7 == pytest.approx(30.25)
    assert (image * (columns - 29.5) ** 2).sum() / 7 == pytest.approx(2.5**2)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("degree", [-1, 0, 1, 2])
def test_a_noise_free_image_gives_back_what_made_it(shared, degree):
    rows, columns = np.indices((60, 52))
    background = {-1: 0, 0: 3.0, 1: 3 + 0.02 * rows - 0.01 * columns, 2: 3 + 1e-3 * rows**2}[degree]
    fit = refine_columns(
        image_of(background=background), np.round(CLUSTER), 2.0, shared_width=shared, background=degree
    )
    np.testing.assert_allclose(fit.positions, CLUSTER, atol=2e-3)
    np.testing.assert_allclose(fit.volumes, VOLUMES, rtol=2e-3)
    np.testing.assert_allclose(fit.widths, 2.2, rtol=1e-3)
    assert fit.converged


@pytest.mark.parametrize("finer", [1, 4])
def test_a_tied_width_lies_between_what_was_known_and_what_is_seen(finer):
    """The mean of both, weighed by their variances, and with the error of that mean."""
    clean = gaussian_columns((60 * finer, 52 * finer), (CLUSTER + 0.5) * finer - 0.5, VOLUMES, 2.2 * finer, 0.1)
    image = np.random.default_rng(0).poisson(clean).astype(float)
    start, noise = (CLUSTER + 0.5) * finer - 0.5, Noise(1.0, 0.0)
    free = refine_columns(image, start, 2.2 * finer, noise=noise)
    error = free.width_errors[0]
    known = free.widths[0] + 3 * error
    tied = refine_columns(image, start, known, noise=noise, width_tie=error / 2)
    assert tied.widths[0] == pytest.approx((free.widths[0] + 4 * known) / 5, abs=0.15 * error)
    assert tied.width_errors[0] == pytest.approx(error / np.sqrt(5), rel=0.05)
    far = refine_columns(image, start, 0.75 * free.widths[0], noise=noise, width_tie=error)
    assert far.converged
    assert far.widths[0] == pytest.approx(0.875 * free.widths[0], rel=0.03)  # halfway


def test_widths_of_their_own():
    widths = np.array([1.8, 2.2, 2.5, 2.0, 2.3])
    fit = refine_columns(image_of(width=widths), np.round(CLUSTER), 2.2, shared_width=False)
    np.testing.assert_allclose(fit.widths, widths, rtol=0.01)


def dense_bound(positions, volumes, width, background, shape):
    """Cramer-Rao bound of positions, volumes, a shared width and a plane under Poisson noise, by finite differences."""
    n = len(positions)
    rows, columns = np.indices(shape)

    def model(parameters):
        places = parameters[: 2 * n].reshape(n, 2)
        plane = parameters[-3] + parameters[-2] * rows + parameters[-1] * columns
        image = plane
        for (y, x), volume in zip(places, parameters[2 * n : 3 * n], strict=True):
            s = parameters[3 * n]
            image = image + volume / (2 * np.pi * s**2) * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * s**2))
        return image.ravel()

    start = np.concatenate([positions.ravel(), volumes, [width], [background, 0, 0]])
    steps = np.maximum(np.abs(start) * 1e-4, 1e-4)
    jacobian = np.stack(
        [(model(start + step) - model(start - step)) / (2 * h) for h, step in zip(steps, np.diag(steps), strict=True)]
    )
    return np.sqrt(np.diag(np.linalg.inv((jacobian / model(start)) @ jacobian.T)))


def test_errors_are_the_cramer_rao_bound():
    bound = dense_bound(CLUSTER, VOLUMES, 2.2, 1.0, (60, 52))
    fit = refine_columns(image_of(), CLUSTER, 2.2, noise=Noise(1.0, 0.0), region=np.ones((60, 52), bool))
    np.testing.assert_allclose(fit.position_errors.ravel(), bound[:10], rtol=0.03)
    np.testing.assert_allclose(fit.volume_errors, bound[10:15], rtol=0.03)
    assert fit.width_errors[0] == pytest.approx(bound[15], rel=0.03)


def test_estimates_scatter_as_their_errors_say():
    image, positions, counts = image_of(), CLUSTER, VOLUMES
    rng = np.random.default_rng(0)
    deviations = []
    for _ in range(60):
        fit = refine_columns(rng.poisson(image), positions + rng.normal(scale=0.4, size=positions.shape), 2.0)
        deviations.append(
            np.column_stack(
                [(fit.positions - positions) / fit.position_errors, (fit.volumes - counts) / fit.volume_errors]
            )
        )
    deviations = np.array(deviations)
    # 60 images of 5 columns: the standard deviation of a standard deviation is 4 %
    np.testing.assert_allclose(deviations.std((0, 1)), 1, atol=0.15)
    assert np.abs(deviations.mean((0, 1))).max() < 0.3


def test_fine_pixels_give_the_same():
    coarse = refine_columns(gaussian_columns((80, 80), 2 * CLUSTER[:3], VOLUMES[:3], 4.4, 1.0), 2 * CLUSTER[:3], 4.0)
    np.testing.assert_allclose(coarse.positions, 2 * CLUSTER[:3], atol=5e-3)
    np.testing.assert_allclose(coarse.volumes, VOLUMES[:3], rtol=2e-3)
    np.testing.assert_allclose(coarse.widths, 4.4, rtol=2e-3)
    assert coarse.model.shape == coarse.region.shape == (80, 80)


def test_columns_at_the_border():
    image = gaussian_columns((41, 45), [[0.3, 20.0], [12.0, 44.2]], [100.0, 200.0], 2.0, 0.5)
    fit = refine_columns(image, [[0, 20], [12, 44]], 2.0)
    np.testing.assert_allclose(fit.volumes, [100, 200], rtol=0.01)


def test_volumes_alone():
    fit = measure_volumes(image_of(), CLUSTER, 2.2, noise=Noise(1.0, 0.0))
    np.testing.assert_allclose(fit.volumes, VOLUMES, rtol=1e-3)
    assert (fit.position_errors == 0).all()
    full = refine_columns(image_of(), CLUSTER, 2.2, noise=Noise(1.0, 0.0))
    assert (fit.volume_errors <= full.volume_errors * 1.001).all()


def test_one_column():
    fit = refine_columns(gaussian_columns((40, 40), [[20.2, 19.6]], 50.0, 2.0, 1.0), [[20, 20]], 2.3)
    np.testing.assert_allclose(fit.positions, [[20.2, 19.6]], atol=2e-3)
    with pytest.raises(ValueError, match="width="):
        refine_columns(np.ones((40, 40)), [[20, 20]])


@pytest.mark.parametrize(
    ("image", "positions", "match"),
    [
        (np.zeros((30, 30)), np.empty((0, 2)), "no columns"),
        (np.zeros((30, 30)), [[40.0, 3.0]], "outside"),
        (np.full((30, 30), np.nan), [[4.0, 3.0]], "finite"),
        (np.zeros((3, 30, 30)), [[4.0, 3.0]], "two-dimensional"),
    ],
)
def test_errors(image, positions, match):
    with pytest.raises(ValueError, match=match):
        refine_columns(image, positions, 2.0)


@pytest.mark.parametrize(("gain", "floor"), [(1.0, 0.0), (0.5, 4.0), (0.0, 2.0)])
def test_noise_is_found_from_residuals(gain, floor):
    rng = np.random.default_rng(0)
    signal = rng.uniform(5, 200, 20000)
    noise = estimate_noise(rng.normal(size=20000) * np.sqrt(floor + gain * signal), signal)
    assert noise.gain == pytest.approx(gain, rel=0.05, abs=0.01)
    assert noise.floor == pytest.approx(floor, abs=2.5)


def test_noise_of_a_dose():
    assert Noise.of_dose(50.0).gain == pytest.approx(0.02)
    with pytest.raises(ValueError, match="above zero"):
        Noise.of_dose(0)
    assert estimate_noise(np.zeros(5), np.ones(5)) == Noise(0.0, 0.0)
