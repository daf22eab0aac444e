"""From exit waves to recorded HRTEM images: optics, camera, dose and geometry, drawn anew for each image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.simulation.datasets.exit_waves import Field
from particlespy_ml.simulation.recording.camera import load_camera
from particlespy_ml.simulation.recording.optics import Optics, image_intensity, wavelength
from particlespy_ml.simulation.settings import from_table

_MARGIN = 22.0  # Å of the field beyond a view, so that the edge of a cut wave does not reach into the view


@dataclass(frozen=True)
class ImagingRecipe:
    """Ranges from which microscope and camera are drawn, for every image anew. (low, high) is a uniform range.

    Parameters
    ----------
    dose
        Electrons per Å², drawn uniformly in its logarithm.
    pixel_size
        Pixel size in Å, drawn uniformly in its logarithm.
    defocus
        Largest distance in Å from *focus* of half of the images, which are near, and of the other half.
    focus
        Defocus in Å about which it is drawn; positive is underfocus.
    astigmatism
        Largest two-fold astigmatism in Å.
    corrected
        Share of the images from an aberration-corrected microscope.
    spherical_aberration
        Largest spherical aberration in Å of corrected and of other microscopes; the latter have a third of it at least
        and are used about Scherzer focus.
    focal_spread
        Range of the focal spread in Å.
    beam_semiangle
        Largest spread of the illumination in mrad.
    aperture
        (probability, smallest, largest radius in 1/Å) of an objective aperture.
    film_phase
        Largest rms phase in radians of structure of the support that the simulation lacks.
    mtf
        Range of the camera's modulation transfer at the Nyquist frequency.
    correlated_noise
        Probability that the shot noise is blurred too, as by a scintillator.
    camera
        File of a measured camera, see `particlespy_ml.simulation.recording.camera.Camera`: its transfer, within the
        errors of it, takes the place of *mtf* and *correlated_noise*; it blurs image and shot noise.
    illumination
        Largest rms of the unevenness of the illumination and of the support's thickness.
    gain
        Largest rms of the pixels' gain, after correction.
    readout
        Largest standard deviation of the readout noise relative to that of the dose.
    scale_error
        Largest relative error of the calibration.
    shear
        Largest shear and stretch by drift.
    stretch
        (probability, largest factor) by which everything is magnified, for particles larger than those simulated.
    smoothed
        (probability, largest standard deviation in pixels) of a Gaussian filter that was applied to the image.
    inverted
        Probability that bright and dark are exchanged.
    scale_bar
        Probability that a scale bar with figures is burnt in anywhere; it may cover a particle.
    """

    dose: tuple[float, float] = (1e2, 1e5)
    pixel_size: tuple[float, float] = (0.15, 1.0)
    defocus: tuple[float, float] = (120.0, 1000.0)
    focus: float = 0.0
    astigmatism: float = 60.0
    corrected: float = 0.6
    spherical_aberration: tuple[float, float] = (2e5, 1.3e7)
    focal_spread: tuple[float, float] = (15.0, 80.0)
    beam_semiangle: float = 0.3
    aperture: tuple[float, float, float] = (0.12, 0.25, 0.7)
    film_phase: float = 0.25
    mtf: tuple[float, float] = (0.1, 0.95)
    correlated_noise: float = 0.5
    camera: str = ""
    illumination: float = 0.08
    gain: float = 0.02
    readout: float = 0.5
    scale_error: float = 0.03
    shear: float = 0.02
    stretch: tuple[float, float] = (0.0, 1.0)
    smoothed: tuple[float, float] = (0.0, 1.0)
    inverted: float = 0.0
    scale_bar: float = 0.0

    @classmethod
    def from_dict(cls, values: dict) -> ImagingRecipe:
        """Make a recipe from a mapping such as the ``[detector]`` table of a recipe file."""
        return from_table(cls, values, "detector")

    def nominal(self, dose: float, pixel_size: float = 0.4) -> ImagingRecipe:
        """Return a well-run corrected microscope: the optics of Gumbiowski et al., fixed dose and pixel, no fault.

        Focus within 5 nm, two-fold astigmatism within 3 nm and a focal spread of 4.5 to 5.5 nm.
        """
        return replace(
            self,
            dose=(dose, dose),
            pixel_size=(pixel_size, pixel_size),
            defocus=(50.0, 50.0),
            focus=0.0,
            astigmatism=30.0,
            corrected=1.0,
            spherical_aberration=(0.0, 0.0),
            focal_spread=(45.0, 55.0),
            beam_semiangle=0.0,
            aperture=(0.0, 1.0, 1.0),
            film_phase=0.0,
            mtf=(0.5, 0.8),
            correlated_noise=0.0,
            illumination=0.01,
            gain=0.005,
            readout=0.0,
            scale_error=0.01,
            shear=0.005,
            stretch=(0.0, 1.0),
            smoothed=(0.0, 1.0),
            inverted=0.0,
            scale_bar=0.0,
        )


@dataclass(frozen=True)
class Recording:
    """A recorded image.

    Parameters
    ----------
    image
        Counts, shape (rows, columns), float32.
    labels
        0 for the film, and the number of the particle in the field plus one, shape (rows, columns), int16. Where
        particles overlap, the one with the smaller area counts. The field is periodic: a number may occur twice.
    pixel_size
        Pixel size in Å that a user would be told, not the true one.
    """

    image: np.ndarray
    labels: np.ndarray
    pixel_size: float


def record(
    field: Field,
    recipe: ImagingRecipe,
    rng: np.random.Generator,
    *,
    view: float,
    middle: np.ndarray | None = None,
    outlines: bool = False,
) -> Recording:
    """Record a view of a field as a microscope might.

    Parameters
    ----------
    field
        Exit wave and masks.
    recipe
        Ranges of all effects.
    rng
        Random generator.
    view
        Edge of the view in Å.
    middle
        Row and column in Å of the middle of the view in the field; anywhere by default.
    outlines
        Whether the labels are those within the outlines that are seen, or go to the end of the atoms' radii.

    Returns
    -------
    Recording
        The image and the particles in it.
    """
    edge, pixels = field.parameters["edge"], len(field.wave)
    if middle is None:
        middle = rng.random(2) * edge
    pixel_size = _log_uniform(recipe.pixel_size, rng)
    matrix, shrink = _geometry(recipe, rng)
    count = max(16, round(view / pixel_size))
    # a small view needs only the part of the wave about it
    needed = view * np.abs(matrix).sum(1).max() + 2 * _MARGIN
    part = fft.next_fast_len(int(np.ceil(needed / edge * pixels)))
    part += part % 2
    step = edge / pixels
    start = np.round(middle / step).astype(int) - part // 2
    if part >= pixels:
        part, start = pixels, np.zeros(2, int)
    rows, columns = ((first + np.arange(part)) % pixels for first in start)
    wave = field.wave[np.ix_(rows, columns)]
    phase = _film_phase(recipe, part, step, rng)
    wave = wave if phase is None else wave * np.exp(1j * phase)
    optics = draw_optics(recipe, field.parameters["energy"], rng)
    intensity = image_intensity(wave, part * step, optics)
    blur = _camera_blur(recipe, 2 * part, step / 2, pixel_size * shrink, rng)
    noise_blurred = bool(recipe.camera) or rng.random() < recipe.correlated_noise
    spectrum = fft.rfft2(intensity)
    intensity = fft.irfft2(spectrum * (blur[0] if noise_blurred else blur[0] * blur[1]), s=intensity.shape)
    # pixel (i, j) of the view lies at matrix @ (i, j) + corner of the field, in Å
    corner = middle - matrix @ np.full(2, (count - 1) / 2 * pixel_size)
    sampling = {"output_shape": (count, count), "mode": "grid-wrap"}
    fine = step / 2  # sample i of the wave lies at i steps
    clean = ndi.affine_transform(
        intensity, matrix * pixel_size / fine, (corner - start * step) / fine, order=1, **sampling
    )
    covered = field.outline_map if outlines else field.label_map
    labels = ndi.affine_transform(covered, matrix * pixel_size / step, corner / step, order=0, **sampling)
    clean = np.maximum(clean, 0) * _illumination(recipe, count, rng)
    counts = _count(clean, recipe, pixel_size, rng)
    if noise_blurred:
        counts = _blur_counts(counts, blur[2])
    if recipe.smoothed[0] and rng.random() < recipe.smoothed[0]:
        counts = ndi.gaussian_filter(counts, rng.uniform(0, recipe.smoothed[1]))
    if rng.random() < recipe.inverted:
        counts = counts.max() - counts
    if recipe.scale_bar and rng.random() < recipe.scale_bar:
        _burn_scale_bar(counts, labels, rng)
    told = pixel_size * (1 + recipe.scale_error * rng.uniform(-1, 1))
    return Recording(counts.astype(np.float32), labels, told)


def draw_optics(recipe: ImagingRecipe, energy: float, rng: np.random.Generator) -> Optics:
    """Draw a lens."""
    spread = recipe.defocus[int(rng.random() < 0.5)]
    defocus = recipe.focus + rng.uniform(-spread, spread)
    if rng.random() < recipe.corrected:
        aberration = rng.uniform(-1, 1) * recipe.spherical_aberration[0]
    else:
        aberration = rng.uniform(1 / 3, 1) * recipe.spherical_aberration[1]
        defocus += np.sqrt(1.5 * aberration * wavelength(energy))  # Scherzer's
    probability, low, high = recipe.aperture
    return Optics(
        energy=energy,
        defocus=defocus,
        astigmatism=rng.uniform(0, recipe.astigmatism),
        astigmatism_angle=rng.uniform(0, np.pi),
        spherical_aberration=aberration,
        focal_spread=rng.uniform(*recipe.focal_spread),
        beam_semiangle=rng.uniform(0, recipe.beam_semiangle),
        aperture=rng.uniform(low, high) if rng.random() < probability else np.inf,
    )


def _log_uniform(values: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(values))))


def _geometry(recipe: ImagingRecipe, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Matrix from the view to the field, for rows and columns, and the factor of magnification in it."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    probability, largest = recipe.stretch
    factor = rng.uniform(1, largest) if rng.random() < probability else 1.0
    one, two = recipe.shear * rng.uniform(-1, 1, 2)
    return turn @ np.array([[1.0, two], [0.0, 1 + one]]) / factor, 1 / factor


def _film_phase(recipe: ImagingRecipe, pixels: int, step: float, rng: np.random.Generator):
    """Phase of the support in radians, noise with a correlation length of 0.8 to 6 Å; None where there is none."""
    rms = recipe.film_phase * rng.random() ** 2
    if rms < 1e-3:
        return None
    k2 = fft.fftfreq(pixels, step)[:, None] ** 2 + fft.rfftfreq(pixels, step) ** 2
    length = _log_uniform((0.8, 6.0), rng)
    spectrum = fft.rfft2(rng.standard_normal((pixels, pixels), dtype=np.float32))
    phase = fft.irfft2(spectrum * np.exp(-0.5 * (np.pi * length) ** 2 * k2).astype(np.float32), s=(pixels, pixels))
    return phase * np.float32(rms / max(phase.std(), 1e-9))


def _camera_blur(recipe: ImagingRecipe, pixels: int, step: float, pixel_size: float, rng: np.random.Generator):
    """Transfer of the pixel's area, that of the camera, on the grid of the intensity; and the latter at Nyquist."""
    fy = np.abs(fft.fftfreq(pixels, step))[:, None].astype(np.float32) * pixel_size
    fx = np.abs(fft.rfftfreq(pixels, step))[None].astype(np.float32) * pixel_size
    transfer = _draw_transfer(recipe, rng)
    return np.sinc(fx) * np.sinc(fy), transfer(np.hypot(fx, fy)), transfer


def _draw_transfer(recipe: ImagingRecipe, rng: np.random.Generator):
    """Transfer of a camera as a function of cycles per pixel: an exponential, or that of a measured camera."""
    if recipe.camera:
        return load_camera(recipe.camera).within_errors(rng).transfer
    at_nyquist = rng.uniform(*recipe.mtf)
    return lambda frequency: at_nyquist ** (2 * frequency)


def _blur_counts(counts: np.ndarray, transfer) -> np.ndarray:
    """Counts blurred by the camera's transfer."""
    pad = 8
    padded = np.pad(counts, pad, mode="reflect")
    fy, fx = fft.fftfreq(padded.shape[0])[:, None], fft.rfftfreq(padded.shape[1])[None]
    factor = transfer(np.hypot(fx, fy)).astype(np.float32)
    return fft.irfft2(fft.rfft2(padded) * factor, s=padded.shape)[pad:-pad, pad:-pad]


def _illumination(recipe: ImagingRecipe, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth factor about 1: a slope and a few waves, shape (pixels, pixels)."""
    axis = np.linspace(-0.5, 0.5, pixels, dtype=np.float32)
    total = np.zeros((pixels, pixels), np.float32)
    for _ in range(3):
        ky, kx = 2 * np.pi * rng.normal(scale=0.7, size=2)
        start = rng.uniform(0, 2 * np.pi)
        total += np.outer(np.sin(ky * axis + start), np.cos(kx * axis))
        total += np.outer(np.cos(ky * axis + start), np.sin(kx * axis))
    total -= total.mean()
    rms = recipe.illumination * rng.random() ** 1.5
    return np.maximum(1 + rms * total / max(float(total.std()), 1e-6), 0.05)


def _count(clean: np.ndarray, recipe: ImagingRecipe, pixel_size: float, rng: np.random.Generator) -> np.ndarray:
    """Counts of electrons with the pixels' gain and readout noise."""
    per_pixel = _log_uniform(recipe.dose, rng) * pixel_size**2
    if per_pixel < 200:
        counts = rng.poisson(clean * per_pixel).astype(np.float32)
    else:  # Poisson and normal distributions are the same then, and this one is drawn faster
        expected = clean * np.float32(per_pixel)
        counts = expected + np.sqrt(expected) * rng.standard_normal(clean.shape, dtype=np.float32)
    counts *= 1 + np.float32(recipe.gain * rng.random()) * rng.standard_normal(clean.shape, dtype=np.float32)
    readout = np.float32(recipe.readout * rng.random() * np.sqrt(per_pixel))
    return counts + readout * rng.standard_normal(clean.shape, dtype=np.float32)


def _burn_scale_bar(counts: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a bar and strokes as of figures into an image, on a box or not; there are no particles under them."""
    size = len(counts)
    height, width = max(4, int(size * rng.uniform(0.06, 0.3))), max(8, int(size * rng.uniform(0.15, 0.6)))
    top, left = (int(rng.choice((0, rng.integers(size - n + 1), size - n))) for n in (height, width))
    box = np.s_[top : top + height, left : left + width]
    ink, paper = (counts.max(), counts.min()) if rng.random() < 0.7 else (counts.min(), counts.max())
    strokes = np.zeros((height, width), bool)
    strokes[int(0.7 * height) : int(0.9 * height), int(0.1 * width) : int(0.9 * width)] = True
    for start in np.arange(0.15, rng.uniform(0.3, 0.85), 0.12):
        for _ in range(3):
            row, column = int(rng.uniform(0.1, 0.5) * height), int((start + rng.uniform(0, 0.07)) * width)
            tall = rng.random() < 0.5
            long, thin = max(1, int(0.3 * height)), max(1, int(0.05 * height))
            strokes[row : row + (long if tall else thin), column : column + (thin if tall else long)] = True
    covered = np.ones_like(strokes) if rng.random() < 0.7 else strokes
    counts[box] = np.where(strokes, ink, np.where(covered, paper, counts[box]))
    labels[box] = np.where(covered, 0, labels[box])
