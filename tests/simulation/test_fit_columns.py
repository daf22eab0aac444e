"""The fit of an image as users call it: a particle by the multislice algorithm, which is no sum of columns."""

from dataclasses import replace

import numpy as np
import pytest
from hyperspy.signals import Signal2D

from particlespy_ml.simulation.fit_columns import fit_columns
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave
from particlespy_ml.simulation.waves.tilted_columns import tilted_columns

LENS = Optics(defocus=-80.0, spherical_aberration=-1.1e5, fifth_order=2e7, focal_spread=28.0, deflection=0.2)
EDGE, PIXELS = 32.0, 128


@pytest.fixture(scope="module")
def library():
    return tilted_columns("Au", 2.884, 6, tilts=(0.0, 1.2), configurations=1, sampling=0.18)


@pytest.fixture(scope="module")
def particle():
    """Places in Å, heights, and the exit wave of a wedge of gold along <110>."""
    places = np.array([(9.5 + 2.04 * x, 9.5 + 2.884 * (y + 0.5 * (x % 2))) for x in range(5) for y in range(4)])
    heights = np.array([2 + (x + y) % 3 for x in range(5) for y in range(4)])
    atoms = [
        (*place, 2.884 * (k - (height - 1) / 2) + 0.3)
        for place, height in zip(places, heights, strict=True)
        for k in range(height)
    ]
    wave = simulate_exit_wave(["Au"] * len(atoms), np.array(atoms), EDGE, sampling=0.16, pixels=PIXELS)
    return places, heights, wave


def image_of(wave, defoci, dose, seed=0):
    frames = [image_intensity(wave, EDGE, replace(LENS, defocus=one))[::2, ::2] for one in defoci]
    counts = np.random.default_rng(seed).poisson(np.array(frames) * dose * (EDGE / PIXELS) ** 2).astype(np.float32)
    signal = Signal2D(counts if len(defoci) > 1 else counts[0])
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = 0.1 * EDGE / PIXELS, "nm"
    signal.set_signal_type("HRTEM")
    return signal


def test_one_image(particle, library, tmp_path):
    import hyperspy.api as hs

    places, heights, wave = particle
    signal = image_of(wave, (-80.0,), 3e4)
    fit = fit_columns(signal, "Au", library=library, defocus=(-120.0, -40.0))
    rows = fit.columns.to_dataframe()
    away = np.linalg.norm(rows[["x", "y"]].to_numpy()[:, None] - 0.1 * places, axis=2)
    assert len(rows) >= 18 and np.median(away.min(1)) < 0.008
    nearest = away.argmin(1)
    assert (np.abs(rows["height"] - heights[nearest]) <= 1).mean() > 0.9
    assert abs(fit.optics[0].defocus + 80) < 25 and np.hypot(*fit.tilt) < 1
    assert {"height_probability", "expected_height", "resolvable", "x_error"} <= set(rows.columns)
    fit.columns.save(tmp_path / "columns.hspy")
    assert hs.load(tmp_path / "columns.hspy").n_columns == len(rows)
    assert "defocus" in repr(fit)
    assert len(fit.plot().axes) == 3


def test_all_columns_of_a_focal_series_together(particle, library):
    places, heights, wave = particle
    signal = image_of(wave, (40.0, -90.0, -220.0), 1e4)
    signal.axes_manager.navigation_axes[0].name = "defocus"
    fit = fit_columns(
        signal, "Au", waves="particle", library=library, defocus=(20.0, 60.0), focal_steps=(-130.0,), register=False
    )
    rows = fit.columns.to_dataframe()
    away = np.linalg.norm(rows[["x", "y"]].to_numpy()[:, None] - 0.1 * places, axis=2)
    nearest = away.argmin(1)
    assert len(rows) >= 18 and np.median(away.min(1)) < 0.004
    assert (rows["height"] == heights[nearest]).mean() >= 0.85
    assert len(fit.optics) == 3 and fit.misfit < 1.5
    assert fit.columns.metadata.particlespy_ml.finding.waves == "particle"


def test_what_cannot_be_fitted_is_refused(particle, library):
    _, _, wave = particle
    signal = image_of(wave, (-80.0,), 3e4)
    with pytest.raises(ValueError, match="columns were found"):
        fit_columns(signal.isig[:16, :16], "Au", library=library)
    flat = signal.deepcopy()
    flat.axes_manager[0].scale *= 1.02
    with pytest.raises(ValueError, match="expected square ones"):
        fit_columns(flat, "Au", library=library)
    with pytest.raises(ValueError, match="no background subtracted"):
        fit_columns(signal - 1e6, "Au", library=library)
    with pytest.raises(ValueError, match="one atom a period"):
        fit_columns(signal, "MgO", "<001>", library=library)
    with pytest.raises(ValueError, match="No bundled network finds columns of Mg, O"):
        fit_columns(signal, "MgO", library=library)
    with pytest.raises(ValueError, match="expected one of .*particle"):
        fit_columns(signal, "Au", waves="all", library=library)
    with pytest.raises(ValueError, match="along the zone axis"):
        fit_columns(signal, "Au", "<001>", library=library)
    with pytest.raises(ValueError, match="expected .*'Pt'"):
        fit_columns(signal, "Pt", library=library)
    with pytest.raises(ValueError, match="200000"):
        fit_columns(signal, "Au", library=library, optics=Optics(energy=200e3))
    with pytest.raises(ValueError, match="do not lie half a period"):
        fit_columns(signal, "Au", "<111>", waves="particle", library=library)
    movie = image_of(wave, (-80.0, -90.0), 1e3)
    stack = Signal2D(np.stack([movie.data, movie.data]))
    for axis in stack.axes_manager.signal_axes:
        axis.scale, axis.units = 0.025, "nm"
    with pytest.raises(ValueError, match="2 navigation axes"):
        fit_columns(stack, "Au", library=library)
