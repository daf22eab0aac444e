"""What went wrong while an image was recorded, and that nothing is said of images that are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.quality.recording import (
    _row_medians,
    calibration_fault,
    directional_blur,
    row_jumps,
    saturated_share,
)
from particlespy_ml.quality.spectrum import power_spectrum, strongest_spacing
from tests.conftest import disk_frame

RIGHT = disk_frame([(40, 40), (80, 110), (90, 40)], [14, 20, 11], noise=0.05)


@pytest.mark.parametrize("angle", [0, 30, 90, 120])
def test_drift_blurs_along_its_direction(angle):
    x, y = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    clean = disk_frame([(40, 40), (80, 110), (90, 40)], [14, 20, 11], noise=0)
    drifted = np.mean([ndi.shift(clean, (y * step, x * step), order=1, mode="nearest") for step in range(-7, 8)], 0)
    drifted += np.random.default_rng(0).normal(scale=0.02, size=drifted.shape)
    ratio, found = directional_blur(power_spectrum(drifted, (0.04, 0.04)))
    assert ratio > 1.4 and abs((found - angle + 90) % 180 - 90) < 15


def test_no_drift():
    ratio, _ = directional_blur(power_spectrum(RIGHT, (0.04, 0.04)))
    assert ratio < 1.3
    assert np.isnan(directional_blur(power_spectrum(np.random.default_rng(0).normal(size=(64, 64)), (0.04, 0.04)))[0])


def test_charging_jumps_from_row_to_row():
    rng = np.random.default_rng(0)
    jumps = np.cumsum(rng.choice([0, 0.3, -0.3], size=len(RIGHT)))[:, None]
    assert row_jumps(RIGHT) < 2 < 4 < row_jumps(RIGHT + jumps)
    assert row_jumps((RIGHT + jumps).T) < 2  # across the scan it is something else
    assert np.isnan(row_jumps(np.ones((8, 80)))) and np.isfinite(row_jumps(np.ones((80, 80))))


def test_saturation_is_a_spike_at_the_end():
    rng = np.random.default_rng(0)
    assert saturated_share(rng.poisson(0.2, 10000)) == 0  # few electrons are no saturation
    cut = np.minimum(RIGHT, 2.5)
    assert saturated_share(cut) == pytest.approx((RIGHT >= 2.5).mean())
    assert saturated_share(RIGHT) == saturated_share(np.ones(9)) == 0


@pytest.mark.parametrize("spacing", [0.235, 0.3])
def test_the_spacing_of_a_lattice(spacing):
    rows, columns = np.mgrid[:256, :256] * 0.03
    fringes = np.cos(2 * np.pi * (0.6 * rows + 0.8 * columns) / spacing) * (np.hypot(rows - 4, columns - 4) < 2)
    noise = np.random.default_rng(0).normal(size=(256, 256))
    assert strongest_spacing(power_spectrum(fringes + noise, (0.03, 0.03))) == pytest.approx(spacing, rel=0.03)
    assert np.isnan(strongest_spacing(power_spectrum(noise, (0.03, 0.03))))
    assert np.isnan(strongest_spacing(power_spectrum(ndi.gaussian_filter(RIGHT, 5), (0.04, 0.04))))  # no noise at all


def test_calibrations_that_cannot_be_right():
    assert "finer" in calibration_fault((0.004, 0.004), 0.047)
    assert "coarser" in calibration_fault((0.4, 0.4), 2.35, 30)
    assert calibration_fault((0.4, 0.4), 8.0, 7.0) == ""  # an array of particles
    assert "no micrograph" in calibration_fault((1e-6, 1e-6)) and "no micrograph" in calibration_fault((0.1, 500.0))
    assert calibration_fault((0.1, 0.1)) == ""


@pytest.mark.parametrize("columns", [16, 17, 512])
def test_medians_of_rows_are_those_of_numpy(columns):
    values = np.random.default_rng(columns).normal(size=(20, columns)).astype(np.float32)
    assert np.array_equal(_row_medians(values), np.median(values, axis=1))
