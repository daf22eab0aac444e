"""What lies between a simulated image and a recorded one: source size, scan, support film, dose, detector.

Functions take and return batches of torch tensors, shape (n, rows, columns); lengths are in Å. `detect` chains them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.settings import from_table

if TYPE_CHECKING:
    import torch

_FWHM = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class DetectorRecipe:
    """Ranges from which the detector side is drawn, for every image anew. (low, high) is a uniform range.

    Parameters
    ----------
    dose
        Electrons per Å², drawn uniformly in its logarithm; several summed frames are a higher dose.
    pixel_size
        Pixel size of the acquisition in Å, drawn uniformly in its logarithm, one for a batch.
    source_fwhm
        Size of the source in Å (full width at half maximum).
    source_ellipticity
        Largest relative difference of the two axes of the source.
    scale_error
        Largest relative error of the calibration.
    off_centre
        Standard deviation of the particle's position along each axis in Å.
    far_off_centre
        (probability, largest offset in Å) of a particle far from the centre, which the window may cut.
    scan_jitter
        Largest rms displacement of scan rows in Å.
    shear
        Largest shear and stretch by drift.
    distortion
        (probability, largest shear and stretch) of a drift or a scan that distorts more; it changes during the frame by
        as much again from the middle of the particle to its end.
    support_mean
        Range of the mean of the support, relative to the mean over the particle, drawn uniformly in its logarithm.
    support_contrast
        Largest rms of the support's contrast, relative to the mean over the particle.
    support_length
        Range of the correlation length of the support's contrast in Å.
    gradient
        Largest slope of the support across the window, relative to the mean over the particle.
    neighbours
        Probability of another particle near the edge; half of them are filled with background, as analysis fills them.
    border
        Probability that the edge of the frame cuts the window.
    readout
        (probability, largest standard deviation in counts) of readout noise.
    clipping
        (probability, largest fraction of clipped pixels) of a saturated detector.
    single_annuli
        Probability that not all annuli are recorded.
    binning
        Whether pixels much finer than the network's are binned when they are counted, which is faster and leaves
        Poisson noise what it is, or recorded and resampled, as analysis does with a measured image.
    """

    dose: tuple[float, float] = (30.0, 1e5)
    pixel_size: tuple[float, float] = (0.1, 0.6)
    source_fwhm: tuple[float, float] = (0.4, 1.4)
    source_ellipticity: float = 0.2
    scale_error: float = 0.03
    off_centre: float = 0.9
    far_off_centre: tuple[float, float] = (0.08, 5.0)
    scan_jitter: float = 0.25
    shear: float = 0.03
    distortion: tuple[float, float] = (0.0, 0.06)
    support_mean: tuple[float, float] = (0.003, 0.5)
    support_contrast: float = 0.1
    support_length: tuple[float, float] = (1.5, 12.0)
    gradient: float = 0.08
    neighbours: float = 0.25
    border: float = 0.04
    readout: tuple[float, float] = (0.3, 0.4)
    clipping: tuple[float, float] = (0.06, 0.05)
    single_annuli: float = 0.35
    binning: bool = True

    @classmethod
    def from_dict(cls, values: dict) -> DetectorRecipe:
        """Make a recipe from a mapping such as the ``[detector]`` table of a recipe file."""
        return from_table(cls, values, "detector")

    def nominal(self, dose: float, pixel_size: float = 0.4, source_fwhm: float = 0.8) -> DetectorRecipe:
        """Return a well-run microscope: fixed dose, pixel and source; clean thin support, no neighbour, no fault."""
        return replace(
            self,
            dose=(dose, dose),
            pixel_size=(pixel_size, pixel_size),
            source_fwhm=(source_fwhm, source_fwhm),
            source_ellipticity=0.05,
            scale_error=0.01,
            far_off_centre=(0.0, 0.0),
            scan_jitter=0.05,
            shear=0.01,
            distortion=(0.0, 0.0),
            support_mean=(0.003, 0.05),
            support_contrast=0.02,
            gradient=0.02,
            neighbours=0.0,
            border=0.0,
            readout=(0.0, 0.0),
            clipping=(0.0, 0.0),
            single_annuli=0.0,
        )


def mix_annuli(images: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Sum the annuli, shape (n, annuli, rows, columns); with the given probability, only a run of them."""
    import torch

    n, annuli = images.shape[:2]
    first = torch.randint(annuli, (n,), generator=generator)
    last = first + (torch.rand(n, generator=generator) * (annuli - first)).long()
    ring = torch.arange(annuli)
    weights = ((ring >= first[:, None]) & (ring <= last[:, None])).to(images.dtype)
    weights[torch.rand(n, generator=generator) >= probability] = 1
    return torch.einsum("narc,na->nrc", images, weights)


def blur_source(
    images: torch.Tensor, step: float, fwhm: torch.Tensor, ellipticity: torch.Tensor, angle: torch.Tensor
) -> torch.Tensor:
    """Convolve with an elliptic Gaussian source; *fwhm* (Å), *ellipticity* and *angle* have shape (n,)."""
    import torch

    fy = torch.fft.fftfreq(images.shape[-2], step)[:, None]
    fx = torch.fft.rfftfreq(images.shape[-1], step)
    cos, sin = (f(angle)[:, None, None] for f in (torch.cos, torch.sin))
    sigma = (fwhm / _FWHM)[:, None, None]
    stretch = ellipticity[:, None, None] / 2
    along = (fx * cos + fy * sin) * sigma * (1 + stretch)
    across = (fy * cos - fx * sin) * sigma * (1 - stretch)
    transfer = torch.exp(-2 * np.pi**2 * (along**2 + across**2))
    return torch.fft.irfft2(torch.fft.rfft2(images) * transfer, s=images.shape[-2:]).clamp_(min=0)


def sample(
    images: torch.Tensor, step: float, matrix: torch.Tensor, offset: torch.Tensor, n_pixels: int, pixel_size: float,
    row_shift: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """Sample the images at the points of another scan.

    Point (x, y) of the scan is read at ``matrix @ (x, y) + offset``, both about the middle. Outside there is vacuum.

    Parameters
    ----------
    images
        Shape (n, rows, columns), sampled every *step* Å.
    step
        Distance of the samples in Å.
    matrix, offset
        Shapes (n, 2, 2) and (n, 2), in x and y; the offset in Å.
    n_pixels, pixel_size
        Scan points along each axis and their distance in Å.
    row_shift
        Displacement of each row of the scan along x and y in Å, shape (n, n_pixels, 2).
    """
    import torch

    axis = (torch.arange(n_pixels) - (n_pixels - 1) / 2) * pixel_size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y], dim=-1).expand(len(images), -1, -1, -1)
    if row_shift is not None:
        points = points + row_shift[:, :, None]
    points = torch.einsum("nij,nrcj->nrci", matrix, points) + offset[:, None, None]
    extent = torch.tensor([images.shape[-1], images.shape[-2]]) * step / 2
    return torch.nn.functional.grid_sample(
        images[:, None], points / extent, mode="bilinear", padding_mode="zeros", align_corners=False
    )[:, 0]


def rotations(n: int, scale_error: float, shear: float | torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random rotations with mirror, scale error, shear and stretch, shape (n, 2, 2); *shear* may have shape (n,)."""
    import torch

    angle = 2 * np.pi * torch.rand(n, generator=generator)
    flip = torch.randint(2, (n,), generator=generator) * 2.0 - 1
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin * flip], -1), torch.stack([sin, cos * flip], -1)], -2)
    draws = 2 * torch.rand(n, 3, generator=generator) - 1
    distort = torch.eye(2).repeat(n, 1, 1)
    distort[:, 0, 0] += scale_error * draws[:, 0]
    distort[:, 1, 1] += scale_error * draws[:, 0] + shear * draws[:, 1]
    distort[:, 0, 1] += shear * draws[:, 2]
    return turn @ distort


def support_film(
    n: int, n_pixels: int, pixel_size: float, length: torch.Tensor, slope: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Random contrast of unit rms with a correlation *length* in Å, plus a ramp of *slope* across the window.

    *length* and *slope* have shape (n,); the slope is in units of the rms.
    """
    import torch

    noise = torch.randn(n, n_pixels, n_pixels, generator=generator)
    fy = torch.fft.fftfreq(n_pixels, pixel_size)[:, None]
    fx = torch.fft.rfftfreq(n_pixels, pixel_size)
    transfer = torch.exp(-0.5 * (np.pi * length[:, None, None]) ** 2 * (fx**2 + fy**2))
    film = torch.fft.irfft2(torch.fft.rfft2(noise) * transfer, s=noise.shape[-2:])
    film = (film - film.mean((-2, -1), keepdim=True)) / film.std((-2, -1), keepdim=True)
    axis = torch.linspace(-0.5, 0.5, n_pixels)
    angle = (2 * np.pi * torch.rand(n, generator=generator))[:, None, None]
    return film + slope[:, None, None] * (torch.cos(angle) * axis + torch.sin(angle) * axis[:, None])


def count_electrons(
    images: torch.Tensor, dose: torch.Tensor, pixel_size: float, readout: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Turn fractions of the beam into counts: Poisson noise of dose (e/Å²) times pixel area, and readout noise.

    *dose* and *readout* (standard deviation in counts) have shape (n,).
    """
    import torch

    expected = images.clamp(min=0) * (dose * pixel_size**2)[:, None, None]
    counts = torch.poisson(expected, generator=generator)
    return counts + readout[:, None, None] * torch.randn(counts.shape, generator=generator)


def clip(images: torch.Tensor, fraction: torch.Tensor) -> torch.Tensor:
    """Saturate the brightest *fraction*, shape (n,), of the pixels of each image."""
    import torch

    result = images.clone()
    for row in torch.nonzero(fraction > 0)[:, 0].tolist():
        result[row] = images[row].clamp(max=float(torch.quantile(images[row].flatten(), 1 - float(fraction[row]))))
    return result


def resample(
    images: torch.Tensor, pixel_size: float, n_pixels: int, target: float, softness: float = 1.0
) -> torch.Tensor:
    """Resample to the *target* pixel size (Å), *n_pixels* along each axis, as analysis does with a measured image.

    A finer image is first smoothed by a Gaussian that equals the target's pixel in variance, times *softness*.
    """
    import torch

    if abs(pixel_size / target - 1) < 1e-3 and images.shape[-1] == n_pixels:
        return images
    n = len(images)
    if pixel_size < target:
        fwhm = torch.full((n,), softness * float(np.sqrt((target**2 - pixel_size**2) / 12)) * _FWHM)
        low = images.flatten(1).min(1).values[:, None, None]  # blur_source is for images that are not negative
        images = blur_source(images - low, pixel_size, fwhm, torch.zeros(n), torch.zeros(n)) + low
    level = images.flatten(1).median(1).values[:, None, None]  # the edge falls off to the background, not to zero
    return sample(images - level, pixel_size, torch.eye(2).repeat(n, 1, 1), torch.zeros(n, 2), n_pixels, target) + level


def detect(
    images: torch.Tensor,
    radius: torch.Tensor,
    recipe: DetectorRecipe,
    generator: torch.Generator,
    *,
    window: int,
    step: float = 0.3,
    canonical: float = 0.4,
) -> torch.Tensor:
    """Record the images as a microscope might and resample them to the canonical pixel size.

    Parameters
    ----------
    images
        Fraction of the beam on the detector, particle in the middle, shape (n, rows, columns).
    radius
        Radii of the particles in Å, shape (n,), which say where a neighbour may lie.
    recipe
        Ranges of all effects.
    generator
        Source of all random numbers.
    window
        Pixels along each axis of the result.
    step
        Distance of the samples of *images* in Å.
    canonical
        Pixel size of the result in Å.

    Returns
    -------
    torch.Tensor
        Counts, shape (n, window, window), not standardised.
    """
    import torch

    n = len(images)
    draw = _Draws(n, generator)
    low, high = np.log(recipe.pixel_size)
    pixel_size = float(np.exp(low + (high - low) * draw.one()))
    pixel_size *= max(1, int(canonical / pixel_size + 1e-6)) if recipe.binning else 1
    matches = np.isclose(pixel_size, canonical, rtol=1e-3)
    n_pixels = window if matches else int(np.ceil(window * canonical / pixel_size)) + 1
    fwhm, ellipticity = draw.uniform(*recipe.source_fwhm), draw.uniform(0, recipe.source_ellipticity)
    images = blur_source(images, step, fwhm, ellipticity, draw.uniform(0, np.pi))
    geometry = _Geometry(recipe, draw, n_pixels, pixel_size, radius, step)
    particle = geometry.sample(images)
    level = _mean_over_particle(particle)
    neighbour, filled = geometry.neighbours(images)
    support = level * _support(recipe, draw, n_pixels, pixel_size)
    dose = draw.log_uniform(*recipe.dose)
    readout = draw.chance(recipe.readout[0]) * draw.uniform(0, recipe.readout[1])
    counts = count_electrons(particle + neighbour + support, dose, pixel_size, readout, generator)
    gone = (filled & (neighbour > 0.15 * level)) | geometry.beyond_border(recipe.border, draw)
    background = support.mean((-2, -1), keepdim=True) * (dose * pixel_size**2)[:, None, None]
    counts = torch.where(gone, background, counts)
    counts = clip(counts, draw.chance(recipe.clipping[0]) * draw.uniform(0, recipe.clipping[1]))
    return resample(counts, pixel_size, window, canonical, 0.7 + 0.5 * draw.one())


class _Draws:
    """Random numbers for a batch of n images."""

    def __init__(self, n: int, generator: torch.Generator):
        self.n, self.generator = n, generator

    def one(self) -> float:
        return float(self.uniform(0, 1)[0])

    def uniform(self, low: float, high: float) -> torch.Tensor:
        import torch

        return low + (high - low) * torch.rand(self.n, generator=self.generator)

    def log_uniform(self, low: float, high: float) -> torch.Tensor:
        return self.uniform(np.log(low), np.log(high)).exp()

    def chance(self, probability: float) -> torch.Tensor:
        return self.uniform(0, 1) < probability

    def normal(self, *shape: int) -> torch.Tensor:
        import torch

        return torch.randn(self.n, *shape, generator=self.generator)


class _Geometry:
    """The scan of a batch: orientation, position, distortion, and what comes into view beside the particle."""

    def __init__(self, recipe, draw, n_pixels, pixel_size, radius, step):
        import torch

        self.recipe, self.draw, self.n_pixels, self.pixel_size = recipe, draw, n_pixels, pixel_size
        self.radius, self.step = radius, step
        distorted = draw.chance(recipe.distortion[0]) if recipe.distortion[0] else torch.zeros(draw.n, dtype=torch.bool)
        shear = torch.full((draw.n,), float(recipe.shear))
        shear[distorted] = float(recipe.distortion[1])
        self.matrix = rotations(draw.n, recipe.scale_error, shear, draw.generator)
        far = draw.chance(recipe.far_off_centre[0])[:, None] * (draw.normal(2) * recipe.far_off_centre[1] / 2)
        self.offset = draw.normal(2) * recipe.off_centre + far
        jitter = draw.normal(n_pixels) * draw.uniform(0, recipe.scan_jitter)[:, None]
        self.row_shift = torch.stack([jitter, torch.zeros_like(jitter)], -1)
        if recipe.distortion[0]:
            rows = (torch.arange(n_pixels) - (n_pixels - 1) / 2) * pixel_size
            change = recipe.distortion[1] * (2 * torch.rand(draw.n, 1, 2, generator=draw.generator) - 1)
            bend = change * (rows**2)[None, :, None] / (2 * radius[:, None, None])
            self.row_shift[distorted] += bend[distorted]

    def sample(self, images: torch.Tensor) -> torch.Tensor:
        return sample(images, self.step, self.matrix, self.offset, self.n_pixels, self.pixel_size, self.row_shift)

    def neighbours(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images of neighbours (zero where there are none), and which are to be filled with the background."""
        import torch

        result = torch.zeros(self.draw.n, self.n_pixels, self.n_pixels)
        chosen = torch.nonzero(self.draw.chance(self.recipe.neighbours))[:, 0]
        filled = self.draw.chance(0.5)[:, None, None]
        angle, gap = self.draw.uniform(0, 2 * np.pi), self.draw.uniform(-1, 6)
        other = torch.randperm(self.draw.n, generator=self.draw.generator)
        turn = rotations(self.draw.n, 0.0, 0.0, self.draw.generator)
        if len(chosen):
            partner = other[chosen]
            away = (self.radius[chosen] + self.radius[partner] + gap[chosen])[:, None]
            direction = torch.stack([torch.cos(angle), torch.sin(angle)], -1)[chosen]
            offset = torch.einsum("nij,nj->ni", turn[chosen], away * direction)
            result[chosen] = sample(images[partner], self.step, turn[chosen], offset, self.n_pixels, self.pixel_size)
        return result, filled

    def beyond_border(self, probability: float, draw: _Draws) -> torch.Tensor:
        """Pixels beyond the edge of the frame, shape (n, rows, columns), on one side of some windows."""
        import torch

        cut = draw.uniform(0.05, 0.3) * self.n_pixels * draw.chance(probability)
        rows = torch.arange(self.n_pixels)[None, :, None] < cut[:, None, None]
        return rows.expand(-1, -1, self.n_pixels)


def _mean_over_particle(images: torch.Tensor) -> torch.Tensor:
    """Mean of the pixels above a tenth of the maximum, shape (n, 1, 1)."""
    inside = images > 0.1 * images.amax((-2, -1), keepdim=True)
    return (images * inside).sum((-2, -1), keepdim=True) / inside.sum((-2, -1), keepdim=True).clamp(min=1)


def _support(recipe: DetectorRecipe, draw: _Draws, n_pixels: int, pixel_size: float) -> torch.Tensor:
    """Support relative to the particle, not negative, shape (n, rows, columns)."""
    mean = draw.log_uniform(*recipe.support_mean)
    # most films are smooth: squaring a uniform draw favours small contrast; a film has no more contrast than signal
    contrast = (recipe.support_contrast * draw.uniform(0, 1) ** 2).minimum(0.5 * mean) + 1e-6
    slope = draw.uniform(0, recipe.gradient).minimum(mean) / contrast
    film = support_film(draw.n, n_pixels, pixel_size, draw.uniform(*recipe.support_length), slope, draw.generator)
    return (mean[:, None, None] + contrast[:, None, None] * film).clamp_(min=0)
