"""From exit waves of known columns to recorded HRTEM images: optics, film, camera and dose, drawn anew each time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.quality.mtf import transfer
from particlespy_ml.simulation.datasets.column_waves import ColumnField, Film
from particlespy_ml.simulation.recording.camera import load_camera
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.recording.stacked import stack_waves
from particlespy_ml.simulation.settings import from_table


@dataclass(frozen=True)
class ColumnImagingRecipe:
    """Ranges from which microscope and camera are drawn, for every image anew. (low, high) is a uniform range.

    Parameters
    ----------
    dose
        Electrons per Å² of all images of a series together, drawn uniformly in its logarithm.
    pixel_size
        Pixel size in Å, drawn uniformly in its logarithm.
    defocus
        Ranges of the defocus in Å, (share, low, high) each, one of which is chosen; positive is underfocus.
    spherical_aberration, fifth_order
        In Å.
    astigmatism, coma, threefold
        Largest two-fold astigmatism, coma and three-fold astigmatism in Å.
    focal_spread
        In Å, where a Gaussian falls to 1/e.
    beam_semiangle
        Largest spread of the illumination in mrad.
    deflection
        Range of the standard deviation of the image's shift during the exposure in Å.
    drift
        Largest drift along a line during the exposure in Å.
    images, focal_step, focal_jitter, misalignment
        Number of images of a focal series, the change of the defocus from one to the next and its standard deviation in
        Å, and the largest error of their registration in Å.
    film
        (probability, smallest, largest factor) of a film of the library, thinner or thicker.
    film_edge
        Share of the films that end in the view.
    empty
        Share of the images without a particle.
    mtf_floor, mtf_half_width, mtf_exponent
        The camera's transfer: floor + (1 - floor) / (1 + (q / half width) ** exponent), q relative to Nyquist; the half
        width is drawn uniformly in its logarithm.
    mtf
        Shares of the cameras that blur image and shot noise, the image alone, and neither.
    camera
        File of a measured camera, see `particlespy_ml.simulation.recording.camera.Camera`: its transfer, within the
        errors of it, takes the place of all that is drawn of *mtf*; it blurs image and shot noise.
    gain, readout
        Largest rms of the pixels' gain, and of the readout noise relative to that of the dose.
    illumination
        Largest rms of the unevenness of the illumination.
    gamma
        (probability, largest factor) of a nonlinear display.
    scale_error, shear
        Largest relative error of the calibration, and largest shear and stretch.
    """

    dose: tuple[float, float] = (30.0, 1e5)
    pixel_size: tuple[float, float] = (0.1, 0.35)
    defocus: tuple = ((0.6, -130.0, -20.0), (0.25, 20.0, 130.0), (0.15, -220.0, 220.0))
    spherical_aberration: tuple[float, float] = (-3e5, 5e4)
    fifth_order: tuple[float, float] = (0.0, 5e7)
    astigmatism: float = 30.0
    coma: float = 400.0
    threefold: float = 400.0
    focal_spread: tuple[float, float] = (15.0, 45.0)
    beam_semiangle: float = 0.3
    deflection: tuple[float, float] = (0.0, 0.35)
    drift: float = 0.5
    images: int = 1
    focal_step: float = 130.0
    focal_jitter: float = 20.0
    misalignment: float = 0.2
    film: tuple[float, float, float] = (0.5, 0.4, 1.3)
    film_edge: float = 0.2
    empty: float = 0.1
    mtf_floor: tuple[float, float] = (0.0, 0.3)
    mtf_half_width: tuple[float, float] = (0.12, 2.0)
    mtf_exponent: tuple[float, float] = (1.0, 3.0)
    mtf: tuple[float, float, float] = (0.65, 0.2, 0.15)
    camera: str = ""
    gain: float = 0.02
    readout: float = 0.4
    illumination: float = 0.06
    gamma: tuple[float, float] = (0.15, 1.3)
    scale_error: float = 0.02
    shear: float = 0.01

    @classmethod
    def from_dict(cls, values: dict) -> ColumnImagingRecipe:
        """Make a recipe from a mapping such as the ``[detector]`` table of a recipe file."""
        return from_table(cls, values, "detector")


@dataclass(frozen=True)
class ColumnRecording:
    """Recorded images of one view, and the columns in it.

    Parameters
    ----------
    images
        Counts, shape (images, rows, columns), float32.
    places
        Row and column of each atomic column in pixels, shape (n, 2), up to 2 Å beyond the border.
    heights, kinds
        Number of atoms and kind of each, shape (n,).
    pixel_size
        Pixel size in Å that a user would be told, not the true one.
    told
        What was drawn: ``dose``, ``defocus``, ``film``, whether it is ``displayed`` as for the eye, and more.
    columns
        Number of each column in its field, shape (n,).
    """

    images: np.ndarray
    places: np.ndarray
    heights: np.ndarray
    kinds: np.ndarray
    pixel_size: float
    told: dict
    columns: np.ndarray


def record_columns(
    field: ColumnField,
    recipe: ColumnImagingRecipe,
    rng: np.random.Generator,
    *,
    view: float,
    film: Film | None = None,
    middle: np.ndarray | None = None,
) -> ColumnRecording:
    """Record a view of a field as a microscope might.

    Parameters
    ----------
    field
        Exit wave and columns.
    recipe
        Ranges of all effects.
    rng
        Random generator.
    view
        Edge of the view in Å.
    film
        A film of the library that may lie before or behind the particle, or alone in the view.
    middle
        x and y in Å of the middle of the view; by default at a column of the field, or anywhere.
    """
    edge, energy = field.parameters["edge"], field.parameters["energy"]
    is_empty = rng.random() < recipe.empty
    wave = np.ones_like(field.wave) if is_empty else field.wave
    with_film = film is not None and rng.random() < recipe.film[0]
    if with_film:
        wave = _add_film(wave, film, recipe, edge, energy, rng)
    if middle is None:
        middle = _middle(field, edge, view, rng)
    pixel_size = _log_uniform(recipe.pixel_size, rng)
    count = max(16, int(np.ceil(view / pixel_size)))
    matrix = _geometry(recipe, rng)
    lenses = _draw_lenses(recipe, energy, rng)
    camera = _Camera.drawn(recipe, rng)
    dose = _log_uniform(recipe.dose, rng)
    illumination = _illumination(recipe, count, rng)
    n = len(field.wave)
    fine = edge / (2 * n)
    images = []
    for number, optics in enumerate(lenses):
        # all that blurs is one product
        intensity = image_intensity(wave, edge, replace(optics, deflection=0.0))
        drift = recipe.drift * rng.random() ** 2 * _direction(rng)
        intensity = camera.blur(intensity, fine, pixel_size, drift, optics.deflection)
        off = recipe.misalignment * rng.uniform(-1, 1, 2) if number else np.zeros(2)
        # pixel (i, j) of the view lies at matrix @ (i, j) + corner, rows and columns of the field in Å
        corner = middle[::-1] + off - matrix @ np.full(2, (count - 1) / 2 * pixel_size)
        clean = ndi.affine_transform(
            intensity,
            matrix * pixel_size / fine,
            corner / fine,
            order=1,
            mode="grid-wrap",
            output_shape=(count, count),
        )
        clean = np.maximum(clean, 0) * illumination
        images.append(camera.count(clean, dose / len(lenses) * pixel_size**2, rng))
    corner = middle[::-1] - matrix @ np.full(2, (count - 1) / 2 * pixel_size)
    places, chosen = _in_view(field, matrix * pixel_size, corner, count, 2 / pixel_size, edge)
    if is_empty:
        places, chosen = places[:0], chosen[:0]
    images = np.stack(images).astype(np.float32)
    displayed = bool(rng.random() < recipe.gamma[0])
    if displayed:
        images = _display(images, float(np.exp(rng.uniform(-1, 1) * np.log(recipe.gamma[1]))))
    told = {
        "dose": dose,
        "defocus": [float(one.defocus) for one in lenses],
        "spherical_aberration": lenses[0].spherical_aberration,
        "empty": bool(is_empty),
        "film": bool(with_film or field.parameters.get("film")),
        "displayed": displayed,
        "true_pixel_size": pixel_size,
    }
    size = pixel_size * (1 + recipe.scale_error * rng.uniform(-1, 1))
    return ColumnRecording(images, places, field.heights[chosen], field.kinds[chosen], size, told, chosen)


def _middle(field: ColumnField, edge: float, view: float, rng: np.random.Generator) -> np.ndarray:
    """Middle of a view that has a column in it, most of the time."""
    if not len(field.places) or rng.random() < 0.1:
        return rng.random(2) * edge
    return field.places[rng.integers(len(field.places))] + rng.uniform(-0.4, 0.4, 2) * view


def _add_film(wave: np.ndarray, film: Film, recipe, edge: float, energy: float, rng) -> np.ndarray:
    """Product of the waves of a particle and a film, one of them moved along the beam by the distance between them."""
    layer = film.wave(energy)
    layer = np.roll(np.rot90(layer, rng.integers(4)), rng.integers(len(layer), size=2), axis=(0, 1))
    layer = 1 + (layer - 1) * np.float32(rng.uniform(*recipe.film[1:]))
    if rng.random() < recipe.film_edge:
        layer = 1 + (layer - 1) * _half(len(layer), rng)
    away = rng.choice((-1, 1)) * (film.thickness / 2 + rng.uniform(0, 15))
    return stack_waves(wave, layer, edge, energy, away)


def _half(pixels: int, rng: np.random.Generator) -> np.ndarray:
    """A mask of about half of a field with a rough, steep edge, shape (pixels, pixels), 0 to 1."""
    rough = ndi.gaussian_filter(rng.normal(size=(pixels, pixels)), pixels / 12, mode="wrap")
    return (1 / (1 + np.exp(-rough / rough.std() * 15))).astype(np.float32)


def _draw_lenses(recipe: ColumnImagingRecipe, energy: float, rng: np.random.Generator) -> list[Optics]:
    """The lens of every image of a series."""
    shares = np.array([one[0] for one in recipe.defocus], float)
    _, low, high = recipe.defocus[rng.choice(len(shares), p=shares / shares.sum())]
    defocus, angles = rng.uniform(low, high), rng.uniform(0, 2 * np.pi, 3)
    lens = {
        "energy": energy,
        "spherical_aberration": rng.uniform(*recipe.spherical_aberration),
        "fifth_order": rng.uniform(*recipe.fifth_order),
        "astigmatism": recipe.astigmatism * rng.random(),
        "astigmatism_angle": angles[0],
        "coma": recipe.coma * rng.random(),
        "coma_angle": angles[1],
        "threefold": recipe.threefold * rng.random(),
        "threefold_angle": angles[2],
        "focal_spread": rng.uniform(*recipe.focal_spread),
        "beam_semiangle": recipe.beam_semiangle * rng.random(),
        "deflection": rng.uniform(*recipe.deflection),
    }
    jitter = rng.normal(scale=recipe.focal_jitter, size=recipe.images) if recipe.images > 1 else np.zeros(1)
    steps = recipe.focal_step * np.arange(recipe.images) + jitter
    return [Optics(defocus=defocus - step, **lens) for step in steps]


@dataclass(frozen=True)
class _Camera:
    """Transfer and noise of a camera."""

    floor: float
    half_width: float
    exponent: float
    blurs_image: bool
    blurs_noise: bool
    gain: float
    readout: float

    @classmethod
    def drawn(cls, recipe: ColumnImagingRecipe, rng: np.random.Generator) -> _Camera:
        if recipe.camera:
            known = load_camera(recipe.camera).within_errors(rng)
            gain, readout = recipe.gain * rng.random(), recipe.readout * rng.random() ** 2
            return cls(known.floor, known.half_width, known.exponent, True, True, gain, readout)
        kind = rng.choice(3, p=np.array(recipe.mtf) / sum(recipe.mtf))
        return cls(
            rng.uniform(*recipe.mtf_floor),
            _log_uniform(recipe.mtf_half_width, rng),
            rng.uniform(*recipe.mtf_exponent),
            kind < 2,
            kind == 0,
            recipe.gain * rng.random(),
            recipe.readout * rng.random() ** 2,
        )

    def transfer(self, frequency: np.ndarray) -> np.ndarray:
        """Transfer at frequencies in cycles per pixel."""
        return transfer(2 * frequency, self.floor, self.half_width, self.exponent)

    def blur(
        self, intensity: np.ndarray, step: float, pixel_size: float, drift: np.ndarray, deflection: float
    ) -> np.ndarray:
        """Intensity, sampled every *step* Å, after the pixels' area, shifts, and what blurs the image but no noise."""
        ky = fft.fftfreq(intensity.shape[0], step)[:, None].astype(np.float32)
        kx = fft.rfftfreq(intensity.shape[1], step)[None].astype(np.float32)
        factor = np.sinc(ky * pixel_size) * np.sinc(kx * pixel_size) * np.sinc(ky * drift[0] + kx * drift[1])
        factor = factor * np.exp(-2 * (np.pi * np.float32(deflection)) ** 2 * (kx**2 + ky**2))
        if self.blurs_image and not self.blurs_noise:
            factor = factor * self.transfer(np.hypot(kx, ky) * pixel_size)
        return fft.irfft2(fft.rfft2(intensity) * factor.astype(np.float32), s=intensity.shape)

    def count(self, clean: np.ndarray, per_pixel: float, rng: np.random.Generator) -> np.ndarray:
        """Counts of electrons; *per_pixel* is the dose of a pixel."""
        if per_pixel < 200:
            counts = rng.poisson(clean * per_pixel).astype(np.float32)
        else:  # Poisson and normal distributions are the same then, and this one is drawn faster
            expected = clean * np.float32(per_pixel)
            counts = expected + np.sqrt(expected) * rng.standard_normal(clean.shape, dtype=np.float32)
        if self.blurs_noise:
            pad = 8
            padded = np.pad(counts, pad, mode="reflect")
            fy, fx = fft.fftfreq(padded.shape[0])[:, None], fft.rfftfreq(padded.shape[1])[None]
            transfer = self.transfer(np.hypot(fx, fy)).astype(np.float32)
            counts = fft.irfft2(fft.rfft2(padded) * transfer, s=padded.shape)[pad:-pad, pad:-pad]
        counts = counts * (1 + np.float32(self.gain) * rng.standard_normal(clean.shape, dtype=np.float32))
        readout = np.float32(self.readout * np.sqrt(per_pixel))
        return counts + readout * rng.standard_normal(clean.shape, dtype=np.float32)


def _in_view(field, matrix: np.ndarray, corner: np.ndarray, count: int, margin: float, edge: float):
    """Places of the columns that are in a view, in its pixels, and their numbers; the field is periodic."""
    shifts = edge * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 1, 2)
    places = np.linalg.solve(matrix, (field.places[:, ::-1] + shifts - corner).reshape(-1, 2).T).T
    inside = ((places > -margin) & (places < count - 1 + margin)).all(1)
    return places[inside], np.tile(np.arange(len(field.places)), len(shifts))[inside]


def _geometry(recipe: ColumnImagingRecipe, rng: np.random.Generator) -> np.ndarray:
    """Matrix from the view to the field, for rows and columns."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    one, two = recipe.shear * rng.uniform(-1, 1, 2)
    return turn @ np.array([[1.0, two], [0.0, 1 + one]])


def _illumination(recipe: ColumnImagingRecipe, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth factor about 1: a slope and a bend, shape (pixels, pixels)."""
    axis = np.linspace(-1, 1, pixels, dtype=np.float32)
    slope = axis[:, None] * rng.normal() + axis * rng.normal() + rng.normal() * (axis[:, None] ** 2 + axis**2 - 2 / 3)
    rms = recipe.illumination * rng.random() ** 2
    return np.maximum(1 + rms * slope / max(float(slope.std()), 1e-6), 0.05).astype(np.float32)


def _display(images: np.ndarray, gamma: float) -> np.ndarray:
    """Images as a file for the eye has them: a power of what lies between black and white, in 256 levels."""
    low, high = np.quantile(images, [0.0005, 0.9995])
    if high <= low:
        return images
    return np.rint(255 * np.clip((images - low) / (high - low), 0, 1) ** gamma).astype(np.float32)


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.sin(angle), np.cos(angle)])


def _log_uniform(values: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(values))))
