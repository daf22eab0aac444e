"""What tails, rings and skirts leave of an image is not taken for columns; faint columns are."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from particlespy_ml.columns.fit.refine import gaussian_columns, refine_columns
from particlespy_ml.columns.search.artefacts import (
    faint_columns,
    false_columns,
    local_peaks,
    matched_volumes,
    on_sites,
    profile_image,
    smooth_light,
    smooth_rest,
)
from particlespy_ml.columns.search.in_image import find_columns_in
from particlespy_ml.columns.search.significance import column_significance
from particlespy_ml.quality.noise import Noise

SPACING, WIDTH, PIXEL = 10.0, 1.7, 0.02
SHAPE = (150, 150)


def square_lattice(reach=5):
    """Places and volumes of a round particle whose thickness falls towards its rim."""
    i, j = (k.ravel() for k in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    inside = np.hypot(i, j) <= reach + 0.2
    i, j = i[inside], j[inside]
    return np.column_stack([74.4 + SPACING * i, 75.1 + SPACING * j]), 100 * (reach + 1.5 - np.hypot(i, j))


def rings(places, volumes, share):
    """Rings about columns that meet between four of them, as the first rings of a probe do."""
    rows, columns = np.indices(SHAPE)
    image = np.zeros(SHAPE)
    for (y, x), volume in zip(places, volumes, strict=True):
        distance = np.hypot(rows - y, columns - x)
        image += share * volume / (2 * np.pi * WIDTH**2) * np.exp(-0.5 * ((distance - 0.707 * SPACING) / WIDTH) ** 2)
    return image


def count(image, places, noise):
    """Columns found, those that are none, and those that were missed."""
    found = find_columns_in(image, PIXEL, noise=noise)
    away = cKDTree(places).query(found.fit.positions)[0] > 0.3 * SPACING
    missed = cKDTree(found.fit.positions).query(places)[0] > 0.3 * SPACING
    return found, int(away.sum()), int(missed.sum())


@pytest.mark.parametrize("dose", [30.0, 1e3, 1e5])
def test_rings_that_meet_between_columns_are_no_columns(dose):
    places, volumes = square_lattice()
    clean = gaussian_columns(SHAPE, places, volumes, WIDTH, 1.0) + rings(places, volumes, 0.03)
    image = np.random.default_rng(0).poisson(dose * clean).astype(float)
    found, false, missed = count(image, places, Noise(1.0, 0.0))
    assert false == 0 and missed == 0
    np.testing.assert_allclose(np.median(found.fit.volumes / dose), np.median(volumes), rtol=0.15)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("known_noise", [True, False])
def test_the_skirt_of_a_particle_is_no_row_of_columns(known_noise, seed):
    places, volumes = square_lattice()
    rows, columns = np.indices(SHAPE)
    disk = np.hypot(rows - 74.4, columns - 75.1) < 5.6 * SPACING
    skirt = 40 * gaussian_filter(disk.astype(float), 0.9 * SPACING)
    clean = gaussian_columns(SHAPE, places, volumes + 200, WIDTH, 2.0) + skirt
    image = np.random.default_rng(seed).poisson(100 * clean).astype(float)
    _, false, missed = count(image, places, Noise(1.0, 0.0) if known_noise else None)
    assert false == 0 and missed == 0


@pytest.mark.parametrize(("light", "columns"), [(0, 40), (40, 0), (4, 40), (40, 4)])
def test_how_many_are_smooth_light_all_together_tell(light, columns):
    rng = np.random.default_rng(0)
    truth = np.arange(light + columns) < light
    share = np.where(truth, rng.normal(0.2, 0.1, len(truth)), rng.normal(0.9, 0.2, len(truth)))
    share += rng.normal(0, 0.2, len(truth))
    wrong = (smooth_light(share, np.full(len(truth), 0.2)) > 0.5) != truth
    assert wrong.mean() < 0.05


def test_faint_columns_are_kept_where_the_image_has_peaks():
    """Adatoms of a tenth of their neighbours at the rim, and a second kind of columns between the first."""
    places, volumes = square_lattice()
    rim = places[:4] - [SPACING, 0]
    between = places[np.hypot(*(places - 75).T) < 30] + SPACING / 2
    everything = np.vstack([places, rim, between])
    all_volumes = np.concatenate([volumes + 300, np.full(len(rim), 45.0), np.full(len(between), 80.0)])
    image = gaussian_columns(SHAPE, everything, all_volumes, WIDTH, 1.0)
    image = np.random.default_rng(2).poisson(50 * image).astype(float)
    _, false, missed = count(image, everything, Noise(1.0, 0.0))
    assert false == 0 and missed == 0


def test_a_peak_is_told_from_what_is_smooth():
    """Closed forms: all of a Gaussian is a peak, and nothing of a paraboloid or of a straight ridge."""
    rows, columns = np.indices((60, 60)) - 30.0
    gaussian = gaussian_columns((60, 60), [[30.2, 29.7]], 50.0, 2.0)
    bowl = 3 + 0.2 * rows - 0.1 * columns + 0.01 * rows**2 - 0.02 * columns**2 + 0.01 * rows * columns
    ridge = np.exp(-0.5 * ((rows - 0.2) / 2.0) ** 2)
    fit = refine_columns(gaussian, [[30, 30]], 2.0, noise=Noise(1.0, 1.0))
    slope = 5 * rows
    for image, expected in ((gaussian, 50), (gaussian + bowl, 50), (bowl, 0), (ridge, 0), (gaussian + ridge, 50)):
        peak, noise, error = local_peaks(image, fit, np.array([0]), 9.0, slope)
        assert peak[0] == pytest.approx(expected, abs=0.3)
        assert 0 < noise[0] <= error[0]


def test_peaks_scatter_as_their_errors_say():
    fit = refine_columns(gaussian_columns((60, 60), [[30, 30]], 50.0, 2.0), [[30, 30]], 2.0, noise=Noise(0.0, 1.0))
    rng = np.random.default_rng(0)
    draws = [
        local_peaks(rng.normal(size=(60, 60)), fit, np.array([0]), 9.0, np.indices((60, 60))[0]) for _ in range(200)
    ]
    assert np.std([peak[0] for peak, _, _ in draws]) == pytest.approx(draws[0][1][0], rel=0.15)


def test_matched_volumes_are_those_of_gaussians():
    image = gaussian_columns((80, 80), [[30.0, 40.0]], 7.0, 2.5)
    assert matched_volumes(image, np.array([[30.0, 40.0]]), 2.5)[0] == pytest.approx(7, rel=1e-3)


def test_the_profile_of_columns_is_learnt_and_noise_is_not():
    places, volumes = square_lattice(3)
    image = gaussian_columns(SHAPE, places, volumes, WIDTH)
    fit = refine_columns(image, places, WIDTH, noise=Noise(0.0, 1.0), background=-1)
    all_of_them = np.ones(len(places), bool)
    beside = rings(places, volumes, 0.05)
    learnt = profile_image(beside, fit, all_of_them, SPACING)
    near = cKDTree(places).query(np.argwhere(np.ones(SHAPE)))[0].reshape(SHAPE) < 0.7 * SPACING
    assert np.std((learnt - beside)[near]) < 0.4 * np.std(beside[near])
    noise = np.random.default_rng(0).normal(size=SHAPE)
    assert np.abs(profile_image(noise, fit, all_of_them, SPACING)).max() == 0


def test_faint_beside_others():
    places = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    assert faint_columns(places, np.array([10.0, 3.0, 3.0]), 1.0).tolist() == [False, True, False]


def test_a_row_that_goes_on():
    places = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0], [0.6, 2.5]])
    assert on_sites(places, np.array([9.0, 9.0, 1.0, 1.0]), np.array([2, 3]), 1.0).tolist() == [True, False]
    assert not on_sites(places, np.array([9.0, 1.0, 1.0, 1.0]), np.array([2, 3]), 1.0).any()


def test_nothing_is_false_where_nothing_is_faint():
    places, _ = square_lattice(3)
    image = gaussian_columns(SHAPE, places, 100.0, WIDTH, 1.0)
    fit = refine_columns(image, places, WIDTH, noise=Noise(1.0, 0.0))
    none = false_columns(image, fit, SPACING, column_significance(image, fit), 4.0)
    assert not none.any()
    assert not smooth_rest(image, fit, none, SPACING).any()
