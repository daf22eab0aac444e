"""Whether a lattice shows about a particle, as that of a crystalline support does."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.classification.windows import cut, window_centre
from particlespy_ml.core.calibration import PixelGrid

LATTICE = 16.0  # `lattice_strength` above which there is a lattice: of most crystals, and of few amorphous films
SLOPE = 1.5  # factor about it within which surroundings count in part
BEYOND = 24  # pixels of surroundings on each side of a window
RIM = 4  # pixels about particles that are left out: their own fringes reach beyond them
SPACINGS = (0.118, 0.45)  # nm
_RING = 0.35  # 1/nm
_LEAST = 0.02  # share of an image that must be known


def lattice_strength(image: np.ndarray, known: np.ndarray, pixel_size: float, recorded: float = 0.0) -> float:
    """Return how far the highest peak of a power spectrum stands above the spectrum at the same frequency.

    The largest power in rings of the spectrum is divided by the mean that noise of the ring's median would have. Rings
    are narrow, so neither the transfer function of a lens nor the grain of an amorphous film makes a peak.

    Parameters
    ----------
    image
        Shape (n, n).
    known
        Pixels that count, bool, shape (n, n).
    pixel_size
        In nm.
    recorded
        Pixel size in nm that the image was recorded with, where that is larger: it shows no finer spacings.

    Returns
    -------
    float
        About 10 for noise and amorphous films, 20 to 1000 where a lattice shows; NaN where next to nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.classification.surroundings import lattice_strength
    >>> noise = np.random.default_rng(0).normal(size=(96, 96))
    >>> fringes = np.sin(2 * np.pi * np.arange(96) * 0.04 / 0.28)
    >>> known = np.ones((96, 96), bool)
    >>> lattice_strength(noise, known, 0.04) < 16 < lattice_strength(noise + fringes, known, 0.04)
    True
    """
    if known.mean() < _LEAST:
        return float("nan")
    edge = len(image)
    hann = np.hanning(edge).astype(np.float32)
    flat = np.where(known, image - image[known].mean(), 0).astype(np.float32) * hann * hann[:, None]
    power = np.abs(fft.fft2(flat)) ** 2
    along = fft.fftfreq(edge, pixel_size)
    frequency = np.hypot(along[:, None], along)
    low, high = 1 / SPACINGS[1], min(1 / SPACINGS[0], 0.45 / max(pixel_size, recorded))
    number = ((frequency - low) // _RING).astype(int)
    strength = 0.0
    for ring in range(int((high - low) / _RING)):
        values = power[number == ring]
        middle = np.median(values) if values.size else 0
        if middle > 0:
            strength = max(strength, float(values.max() / middle * np.log(2)))
    return strength


def lattice_share(strength: np.ndarray) -> np.ndarray:
    """Return how far surroundings count as a lattice, from 0 to 1, by the logarithm of their `lattice_strength`.

    Half at `LATTICE`, none at `LATTICE` / `SLOPE` and all at `LATTICE` * `SLOPE`, so that what is next to the limit
    does not depend on which side of it noise puts it.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.classification.surroundings import lattice_share
    >>> lattice_share(np.array([8.0, 16.0, 60.0])).round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    with np.errstate(divide="ignore"):
        above = np.log(np.asarray(strength, float) / LATTICE) / np.log(SLOPE)
    return np.clip((above + 1) / 2, 0, 1)


def cut_surroundings(
    image: np.ndarray, labels: np.ndarray, centre: np.ndarray, step: np.ndarray, edge: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut what lies about a particle out of a frame, and tell which pixels show it.

    Parameters
    ----------
    image, labels
        Frame and its labels, shape (rows, columns).
    centre
        Row and column of the middle of the particle's window.
    step
        Pixel of the window in pixels of the frame along each axis.
    edge
        Edge of the window in pixels, to which `BEYOND` is added on each side.

    Returns
    -------
    surroundings, known
        Shape (edge + 2 BEYOND,) * 2; known pixels are those in the frame that belong to no particle.
    """
    whole = edge + 2 * BEYOND
    surroundings = cut(image, labels, -1, centre, step, whole, 0.0)  # where nothing is free, nothing is known
    at = [middle + (np.arange(whole) - (whole - 1) / 2) * one for middle, one in zip(centre, step, strict=True)]
    rows, columns = (np.rint(values).astype(int) for values in at)
    inside = np.ix_(*((values >= 0) & (values < n) for values, n in zip((rows, columns), labels.shape, strict=True)))
    known = np.zeros((whole, whole), bool)
    known[inside] = labels[np.ix_(rows[inside[0].ravel()], columns[inside[1].ravel()])] == 0
    return surroundings, ndi.binary_erosion(known, iterations=RIM)


def surrounding_lattice(
    image: np.ndarray, labels: np.ndarray, row: np.void, grid: PixelGrid, pixel_size: float, edge: int
) -> float:
    """Return the `lattice_strength` about a measured particle.

    Parameters
    ----------
    image, labels
        Frame and its labels, shape (rows, columns).
    row
        The particle's row of the table.
    grid
        Calibration of the frame.
    pixel_size, edge
        Of the window that the particle is seen in, in nm and in pixels.
    """
    step = pixel_size / np.array(grid.nanometres)
    surroundings, known = cut_surroundings(image, labels, window_centre(row, grid), step, edge)
    return lattice_strength(surroundings, known, pixel_size, max(grid.nanometres))
