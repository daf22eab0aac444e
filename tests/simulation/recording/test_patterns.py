"""Drawn patterns have the order that their class says."""

import numpy as np
import pytest

from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.recording.patterns import draw_pattern


@pytest.mark.parametrize("label", CRYSTALLINITY)
def test_shape_seed_and_disk(label):
    first, second = (draw_pattern(label, 30.0, 96, 0.4, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (96, 96) and first.dtype == np.float32 and np.isfinite(first).all()


def test_crystals_have_sharper_peaks_than_amorphous_disks():
    taper = np.outer(np.hanning(96), np.hanning(96))
    k = np.hypot(np.fft.fftfreq(96, 0.4)[:, None], np.fft.fftfreq(96, 0.4))
    sharpness = {}
    for label in ("monocrystalline", "amorphous"):
        peaks = []
        for seed in range(40):
            image = draw_pattern(label, 36.0, 96, 0.4, np.random.default_rng(seed))
            power = np.abs(np.fft.fft2((image - image.mean()) * taper)) ** 2
            ring = power[(k > 0.35) & (k < 0.75)]
            peaks.append(ring.max() / ring.mean())
        sharpness[label] = np.median(peaks)
    assert sharpness["monocrystalline"] > 2 * sharpness["amorphous"]


def test_unknown_class():
    with pytest.raises(ValueError, match="Unknown class 'glass'; expected one of"):
        draw_pattern("glass", 30.0, 96, 0.4, np.random.default_rng(0))
