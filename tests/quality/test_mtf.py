"""The transfer of a camera from the noise of an image with a lattice."""

import numpy as np
import pytest
from scipy import fft

from particlespy_ml.quality.mtf import MTF, estimate_mtf, transfer
from particlespy_ml.simulation.recording.camera import Camera

MEASURED = (0.07, 0.196, 2.29)
Q = np.linspace(0.02, 0.8, 60)


def lattice(size=768, amplitude=0.15, whole=False):
    """Fringes of three directions in a disc, or everywhere, on uneven illumination: 1 is the empty beam."""
    y, x = np.mgrid[:size, :size]
    inside = np.ones((size, size), bool) if whole else np.hypot(x - size / 2, y - size / 2) < 0.33 * size
    image = np.ones((size, size))
    for angle, period in ((0.2, 11.5), (1.3, 11.5), (2.2, 6.1)):
        image += inside * amplitude * np.cos(2 * np.pi / period * (np.cos(angle) * x + np.sin(angle) * y))
    return image * (1 + 0.04 * (x / size - 0.5))


def recorded(camera=MEASURED, electrons=25.0, seed=0, gain=60.0, offset=0.0, **options):
    made = Camera(*camera, gain=gain, offset=offset)
    return made.record(electrons * lattice(**options), np.random.default_rng(seed))


@pytest.mark.parametrize("camera", [MEASURED, (0.15, 0.35, 1.6), (0.02, 0.7, 2.0)], ids=str)
def test_transfer_gain_and_dose_of_one_image(camera):
    image = recorded(camera, offset=200.0)
    found = estimate_mtf(image, offset=200.0)
    assert np.abs(found.transfer(Q) - transfer(Q, *camera)).max() < 0.03
    assert found.dose == pytest.approx(25, rel=0.1)
    assert found.gain == pytest.approx(60, rel=0.1)
    assert found.misfit < 1.5


def test_errors_are_those_of_repeats():
    off = []
    for seed in range(6):
        image = recorded(seed=seed, size=320, amplitude=0.0)
        found = estimate_mtf(image)
        off.append([(found.dose - 25) / found.dose_error, (found.transfer(0.3) - transfer(0.3, *MEASURED))])
        error = found.transfer_error(0.3)[0]
        off[-1][1] /= error
    rms = np.sqrt(np.mean(np.square(off), axis=0))
    assert (rms > 0.3).all() and (rms < 1.9).all()


def test_lattice_everywhere_is_masked():
    found = estimate_mtf(recorded(whole=True))
    assert np.abs(found.transfer(Q) - transfer(Q, *MEASURED)).max() < 0.03
    assert found.dose == pytest.approx(25, rel=0.1)
    assert 0 < found.masked < 0.3


def test_scale_offset_flip_and_type_do_not_matter():
    image = recorded(size=384)
    found = estimate_mtf(image)
    for other, shift in ((image[::-1, ::-1], 0.0), (image * 3, 0.0), (image + 500, 500.0), (image.astype(float), 0.0)):
        again = estimate_mtf(other, offset=shift)
        assert again.half_width == pytest.approx(found.half_width, rel=0.02)
        assert again.dose == pytest.approx(found.dose, rel=0.02)
    rounded = estimate_mtf(np.rint(image).astype(np.int32))
    assert rounded.dose == pytest.approx(found.dose, rel=0.02)


def test_frames_of_a_view_need_no_vacuum():
    """A film shows in every block of one image and in none of the differences."""
    rng = np.random.default_rng(1)
    film = fft.irfft2(fft.rfft2(rng.normal(size=(384, 384))) * np.exp(-60 * fft.rfftfreq(384) ** 2))
    film = 1 + 0.08 * film / film.std()
    frames = np.stack([Camera(*MEASURED).record(25 * film, rng) for _ in range(4)])
    found = estimate_mtf(frames)
    assert np.abs(found.transfer(Q) - transfer(Q, *MEASURED)).max() < 0.03
    assert found.dose == pytest.approx(25, rel=0.1)


def test_mask_takes_vacuum_alone():
    image = recorded()
    vacuum = np.zeros(image.shape, bool)
    vacuum[:, :140] = True
    found = estimate_mtf(image, mask=vacuum)
    assert found.dose == pytest.approx(25, rel=0.2)
    with pytest.raises(ValueError, match="mask holds no block"):
        estimate_mtf(image, mask=np.zeros(image.shape, bool))


def test_images_without_the_camera_s_noise_are_refused():
    rng = np.random.default_rng(0)
    electrons = 8 * lattice(256)
    counted = rng.poisson(electrons)
    image = recorded(size=256, electrons=400.0)
    grey = np.clip(255 * (image - image.min()) / np.ptp(image), 0, 255)
    smooth = fft.irfft2(fft.rfft2(image) * (fft.rfftfreq(256) < 0.3))
    gains = rng.normal(1, 0.02, counted.shape)
    for refused, reason in (
        (counted, "counted"),
        (counted * 37, "counted"),
        (counted * gains, "white"),
        (grey.astype(np.uint8), "8 bits"),
        (np.rint(grey), "8 bits"),
        (smooth, "filtered"),
        (np.full((256, 256), 3.0), "constant"),
        (np.maximum(image, np.median(image)), "cut off"),
        (np.where(image == image.max(), np.nan, image), "not finite"),
        (image[:40], "at least as large"),
    ):
        with pytest.raises(ValueError, match=reason):
            estimate_mtf(refused)
    with pytest.raises(TypeError, match="real"):
        estimate_mtf(image + 1j)


def test_a_subtracted_background_leaves_no_dose():
    image = recorded(size=384)
    with pytest.warns(UserWarning, match="cannot be told"):
        found = estimate_mtf(image - image.mean() - 1)
    assert np.isnan(found.dose) and abs(found.transfer(0.3) - transfer(0.3, *MEASURED)) < 0.03


def test_transfer_at_the_half_width_is_the_mean_of_one_and_the_floor():
    assert MTF(0.1, 0.3, 2.0).transfer(0.3) == pytest.approx(0.55)
    assert MTF(0.1, 0.3, 2.0).transfer(0.0) == 1


def test_a_steep_transfer_is_no_lattice_however_many_blocks_tell_it():
    """Noise falls within a ring by more than the mean of many blocks scatters."""
    electrons = np.full((2048, 2048), 30.0)
    found = estimate_mtf(Camera(*MEASURED, gain=40.0).record(electrons, np.random.default_rng(3)))
    assert found.masked < 0.02
    assert np.abs(found.transfer(Q) - transfer(Q, *MEASURED)).max() < 0.01
    assert found.dose == pytest.approx(30, rel=0.03)
