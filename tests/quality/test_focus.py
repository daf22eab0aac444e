"""Focus: a known blur, a known defocus, the order of series, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.quality.focus import blur_of_edges, defocus_by_rings, field_contrast, focus_score, wavelength
from particlespy_ml.quality.spectrum import power_spectrum
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.recording.optics import wavelength as in_angstrom
from tests.conftest import disk_frame

PIXEL = (0.04, 0.04)
PLACES = ([(50, 60), (130, 150), (160, 50), (60, 170)], [22, 18, 25, 20])


def disks(blur=0.0, noise=0.0, seed=0):
    """Disks whose edges a Gaussian of *blur* pixels blurs, and noise."""
    fine = ndi.zoom(disk_frame(*PLACES, shape=(220, 220), noise=0), 1)
    return ndi.gaussian_filter(fine, blur) + np.random.default_rng(seed).normal(scale=noise, size=fine.shape)


def film(defocus, edge=160.0, seed=0, **lens):
    """Counts of an amorphous film with a small crystal in it; *defocus* in Å."""
    n = 320
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:n, :n]
    phase = ndi.gaussian_filter(rng.normal(size=(n, n)), 0.8, mode="wrap")
    phase *= 0.08 / phase.std()
    crystal = np.hypot(rows - 200, columns - 120) < 50
    phase += 0.2 * crystal * (1 + np.cos(2 * np.pi * rows * edge / n / 2.35))
    intensity = image_intensity(np.exp(1j * phase), edge, Optics(defocus=defocus, focal_spread=30.0, **lens))[::2, ::2]
    return rng.poisson(np.maximum(intensity, 0) * 400.0), edge / n / 10


def test_the_wavelength():
    assert wavelength(200) == pytest.approx(in_angstrom(200e3) / 10)


@pytest.mark.parametrize("blur", [3, 5, 8])
def test_the_blur_of_edges_is_known(blur):
    found, finest = blur_of_edges(power_spectrum(disks(blur), PIXEL))
    assert np.sqrt(found**2 - finest**2) == pytest.approx(blur * 0.04, rel=0.2)


def test_any_further_blur_of_any_image_is_seen():
    image = ndi.gaussian_filter(np.random.default_rng(1).normal(size=(128, 128)), 1.5, mode="wrap")
    image += 0.5 * disk_frame([(60, 60)], [30], shape=(128, 128), noise=0)
    found = [blur_of_edges(power_spectrum(ndi.gaussian_filter(image, blur), PIXEL))[0] for blur in (0, 0.5, 1, 2, 3, 4)]
    assert (np.diff(found) > 0).all()


def test_the_order_of_blurred_images_in_noise():
    scores = [focus_score(disks(blur, noise=0.05, seed=blur), PIXEL) for blur in (1, 3, 6, 12)]
    assert (np.diff([one.score for one in scores]) < 0).all()
    assert scores[0].score > 0.6 and scores[-1].score < 0.3
    assert all(one.used == "edges" and "blurred by" in one.reason for one in scores)


def test_what_must_not_matter():
    image = disks(3, noise=0.03)
    wanted = focus_score(image, PIXEL).score
    for other in (image[::-1], image.T, 5 * image - 100, image.astype(np.float32)):
        assert focus_score(other, PIXEL).score == pytest.approx(wanted, rel=1e-3)
    (fine, one), (coarse, other) = (blur_of_edges(power_spectrum(image, (size,) * 2)) for size in (0.05, 0.1))
    assert other == 2 * one and coarse == pytest.approx(2 * fine)


def test_a_lattice_is_sharp():
    rows, _ = np.mgrid[:220, :220]
    image = disks(2, noise=0.05)
    fringes = (image > 2.5) * np.cos(2 * np.pi * rows * 0.04 / 0.235)
    found = focus_score(image + fringes, PIXEL)
    assert (
        found.used == "lattice" and "lattice of 0.23" in found.reason and found.score > focus_score(image, PIXEL).score
    )


@pytest.mark.parametrize("defocus", [150.0, 300.0, 600.0])
def test_the_defocus_by_rings(defocus):
    image, pixel = film(defocus)
    found, gain = defocus_by_rings(power_spectrum(image, (pixel, pixel)), 300)
    assert gain > 0.2 and 10 * found == pytest.approx(defocus, abs=25, rel=0.07)
    found = focus_score(image, (pixel, pixel), energy=300)
    assert found.used == "Thon rings" and "from focus" in found.reason


def test_spherical_aberration_gives_rings_a_sign():
    image, pixel = film(600.0, spherical_aberration=1.2e7)
    found, _ = defocus_by_rings(power_spectrum(image, (pixel, pixel)), 300, 1.2)
    assert 10 * found == pytest.approx(600, abs=60)


def test_the_order_of_a_focal_series_on_both_sides():
    """Of all pairs of differing distance; the benchmark prints the same of multislice waves."""
    steps = np.array([-480, -240, -120, 0, 120, 240, 480], float)
    found = []
    for number, step in enumerate(steps):
        image, pixel = film(step, seed=number, astigmatism=10.0)
        found.append(focus_score(image, (pixel, pixel), energy=300).score)
    nearer = np.abs(steps)[:, None] < np.abs(steps)
    right = nearer & (np.array(found)[:, None] > np.array(found))
    assert right.sum() >= 0.95 * nearer.sum()


def test_what_shows_no_focus():
    assert np.isnan(focus_score(np.ones((64, 64)), PIXEL).score)
    noise = np.random.default_rng(0).normal(size=(128, 128))
    for energy in (None, 300.0):
        found = focus_score(noise, PIXEL, energy=energy)
        assert np.isnan(found.score) and found.used == "" and "noise" in found.reason
    with pytest.raises(ValueError, match="energy"):
        focus_score(noise, PIXEL, energy=0)


def test_contrast_is_that_of_the_image_without_its_noise():
    rng = np.random.default_rng(0)
    clean = 50 + 20 * np.sin(2 * np.pi * np.arange(256) / 32)[:, None] * np.ones(256)
    wanted = 0.4 / np.sqrt(2)
    for image in (clean, 7 * clean, clean.T, rng.poisson(clean), clean + rng.normal(scale=30, size=clean.shape)):
        assert field_contrast(image, power_spectrum(image, PIXEL)) == pytest.approx(wanted, rel=0.02)
    noise = rng.poisson(np.full((128, 128), 20.0))
    for image in (noise, -clean):
        assert np.isnan(field_contrast(image, power_spectrum(image, PIXEL)))


def test_contrast_orders_the_defocus_of_a_probe():
    """Whose discs have sharp edges of their own, which a score of one image takes for those of particles."""
    from benchmarks.focus import EDGE, probe
    from benchmarks.focus import PIXEL as ANGSTROM

    rows, columns = np.mgrid[:EDGE, :EDGE]
    atoms = sum(np.hypot(rows - y, columns - x) < r for y, x, r in ((90, 100, 24), (220, 90, 30), (180, 240, 20)))
    found = []
    for defocus in (0, 120, 240, 480):
        clean = np.fft.irfft2(np.fft.rfft2(atoms) * np.fft.rfft2(probe(defocus)), s=atoms.shape)
        image = np.random.default_rng(defocus).poisson(1 + 4 * np.maximum(clean, 0))
        found.append(field_contrast(image, power_spectrum(image, (ANGSTROM / 10,) * 2)))
    assert (np.diff(found) < 0).all()
