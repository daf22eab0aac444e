import numpy as np
import pytest

pytest.importorskip("abtem")

from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.waves.exit_wave import fourier_resample, simulate_exit_wave
from particlespy_ml.simulation.waves.single_columns import EDGE, STEP, column_exit_waves, haadf_profiles, through_lens

COARSE = {"sampling": 0.25, "slice_thickness": 3.0, "thermal_rms": 0.0, "configurations": 1}
PERFECT = {"energy": 300e3, "focal_spread": 0.0}


@pytest.fixture(scope="module")
def waves():
    return column_exit_waves("Au", 2.885, [3, 1, 3], **COARSE)


def test_profiles_are_in_the_middle_and_have_the_symmetry_of_a_column(waves):
    assert waves.heights.tolist() == [1, 3] and waves.is_wave and waves.step == STEP
    for one in waves.arrays:
        inner = one[1:, 1:]  # an even number of pixels has its middle after the first row
        np.testing.assert_allclose(inner, inner[::-1], atol=1e-5)
        np.testing.assert_allclose(inner, inner.T, atol=1e-5)
        assert np.abs(one).argmax() == np.ravel_multi_index((len(one) // 2,) * 2, one.shape)


def test_no_electron_is_lost(waves):
    for one in waves.arrays:
        assert (np.abs(1 + one) ** 2).mean() == pytest.approx(1, abs=1e-3)


def test_the_way_to_the_plane_of_focus_is_a_defocus(waves):
    distance = 11.0
    far = column_exit_waves("Au", 2.885, [3], thickness=2 * 2.885 + distance, align="top", **COARSE)
    near = through_lens(waves, Optics(defocus=-distance, **PERFECT)).arrays[1]
    np.testing.assert_allclose(through_lens(far, Optics(**PERFECT)).arrays[0], near, atol=2e-4)
    centred = column_exit_waves("Au", 2.885, [3], thickness=2 * 2.885 + 2 * distance, **COARSE)
    np.testing.assert_allclose(centred.arrays[0], far.arrays[0], atol=1e-5)


def test_waves_of_columns_add_up(waves):
    places = np.array([[8.0, 10.0], [12.0, 10.0]])
    atoms = np.vstack([np.column_stack([np.tile(one, (3, 1)), np.arange(3) * 2.885]) for one in places])
    both = simulate_exit_wave(["Au"] * 6, atoms, EDGE, sampling=0.25, slice_thickness=3.0)
    both = fourier_resample(both, round(EDGE / STEP))
    sides = [np.roll(waves.arrays[1], round(side / STEP), 1) for side in (-2, 2)]
    left = np.abs(both - 1 - sum(sides))
    assert left.max() < 0.05 * np.abs(waves.arrays[1]).max()


def test_haadf_profiles_grow_with_height_and_the_source_keeps_their_sum():
    settings = {"configurations": 1, "thermal_rms": 0.0, "scan_step": 0.4, "sampling": 0.2, "annulus": (0.6, 0.98)}
    sharp = haadf_profiles("Au", 2.885, [1, 2], **settings)
    blurred = haadf_profiles("Au", 2.885, [1], source_size=1.0, **settings)
    assert not sharp.is_wave
    sums = sharp.arrays.sum((1, 2))
    assert 2 < sums[1] / sums[0] < 4.1  # two atoms at rest scatter to small angles as one wave
    np.testing.assert_allclose(blurred.arrays.sum((1, 2)), sums[:1], rtol=1e-6)
    middle = sharp.arrays.shape[1] // 2
    assert np.abs(sharp.arrays[1]).argmax() == middle * (2 * middle + sharp.arrays.shape[1] % 2) + middle
    assert blurred.arrays[0].max() < sharp.arrays[0].max()


def test_what_is_no_column_is_refused():
    with pytest.raises(ValueError, match="one or more"):
        column_exit_waves("Au", 2.885, [0, 2])
    with pytest.raises(ValueError, match="less than that of a column of 5"):
        column_exit_waves("Au", 2.885, [5], thickness=6.0)
    with pytest.raises(ValueError, match="alignment"):
        column_exit_waves("Au", 2.885, [5], align="middle")
