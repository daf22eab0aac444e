"""What went wrong while an image was recorded: drift, charging, saturation, a calibration that cannot be right."""

from __future__ import annotations

import numpy as np

from particlespy_ml.quality.spectrum import Spectrum

# Strongest reflections of metals and oxides lie between these, in nm; finer or coarser ones are never the strongest.
SPACINGS = (0.1, 0.55)
PIXELS = (0.002, 100.0)  # nm: outside of these no particle of a micrograph is seen
MOST_ACROSS = 512  # pixels of a row that tell its jump well enough
LEAST_SATURATED = 1e-4


def directional_blur(spectrum: Spectrum) -> tuple[float, float]:
    """Measure by how much more an image is blurred along one direction than across it: by drift or vibration.

    Squared second derivatives are summed along every direction, as first ones are in a structure tensor (J. Bigun and
    G. Granlund, Proc. ICCV 1987, 433), of edges alone: what is finer than 0.4 nm, and noise, is left out.

    Parameters
    ----------
    spectrum
        That of the image.

    Returns
    -------
    ratio : float
        Root of the ratio of the two principal sums: 1 for an image that is the same along all directions; at least this
        where the lesser sum is lost in noise, NaN where both are.
    angle : float
        Direction of the blur in degrees from x towards y, 0 to 180. Particles that are long along one direction blur
        the image along it just as well.
    """
    pixel = 0.5 / spectrum.nyquist
    k2 = spectrum.frequency**2
    width = 1.5 * pixel
    weight = spectrum.twice * k2**2 * np.exp((-4 * np.pi**2 * width**2 * k2).astype(np.float32))
    weight = np.where((k2 > (2.5 * spectrum.step) ** 2) & (k2 < min(2.5, spectrum.nyquist) ** 2), weight, 0)
    noise = spectrum.noise()
    signal = weight * (spectrum.power - noise)
    error = noise * (np.sqrt((weight**2).sum()) + 0.02 * weight.sum())
    if not signal.sum() > 10 * error:
        return float("nan"), float("nan")
    ky, kx = spectrum.along[:, None], spectrum.across
    norm = np.where(k2 > 0, k2, 1)
    xx, yy, xy = ((signal * part / norm).sum() for part in (kx * kx, ky * ky, kx * ky))
    values, vectors = np.linalg.eigh([[xx, xy], [xy, yy]])
    x, y = vectors[:, 0]
    return float(np.sqrt(values[1] / max(values[0], error))), float(np.degrees(np.arctan2(y, x)) % 180)


def row_jumps(image: np.ndarray) -> float:
    """Measure by how much the brightness of a scanned image jumps from row to row, as charging makes it.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns), rows along the fast direction of the scan.

    Returns
    -------
    float
        Spread of the medians of differences between neighbouring rows, relative to the spread that the noise within
        rows gives them, and to that of columns where it is larger: about 1 without jumps; NaN for an image of less than
        16 rows or columns.
    """
    image = np.asarray(image)
    if min(image.shape) < 16:
        return float("nan")
    known = np.isfinite(image)
    usual = 0.0 if known.all() else float(np.median(image[known])) if known.any() else 0.0
    jumps = []
    for one, seen in ((image, known), (image.T, known.T)):
        across = slice(None, None, max(1, one.shape[1] // MOST_ACROSS))
        one = np.where(seen[:, across], one[:, across], usual).astype(float)
        largest = max(float(np.abs(one).max()), 1e-300)
        difference = (np.diff(one, axis=0) / largest).astype(np.float32)  # sorted in half of the time
        medians = _row_medians(difference)
        away = _row_medians(np.abs(difference - medians[:, None]).reshape(1, -1))[0]
        noise = max(1.4826 * float(away) * 1.2533 / np.sqrt(difference.shape[1]), 1e-12)
        jumps.append(1.4826 * np.median(np.abs(medians - np.median(medians))) / noise)
    return float(jumps[0] / max(jumps[1], 1.0))


def _row_medians(values: np.ndarray) -> np.ndarray:
    """Median of each row, as `numpy.median` has it, which takes several times as long to look for NaN."""
    half = values.shape[1] // 2
    parted = np.partition(values, half, axis=1)
    upper = parted[:, half]
    return upper if values.shape[1] % 2 else (upper + parted[:, :half].max(axis=1)) / 2


def saturated_share(image: np.ndarray) -> float:
    """Return the share of pixels that were cut off at the largest value; 0 where less than 1 in 10,000 were.

    Parameters
    ----------
    image : numpy.ndarray
        Of any shape. The largest value counts as a limit if twice as many pixels have it as have the next one.
    """
    values = np.asarray(image).ravel()
    if values.size == 0 or values.min() == (top := values.max()):
        return 0.0
    count = int((values == top).sum())
    if count < max(LEAST_SATURATED * values.size, 4):
        return 0.0
    below = values[values < top].max()
    return count / values.size if count > 2 * int((values == below).sum()) else 0.0


def calibration_fault(
    pixel_size: tuple[float, float], spacing: float = float("nan"), diameter: float = float("nan")
) -> str:
    """Say why a calibration cannot be right; empty where it may be.

    Parameters
    ----------
    pixel_size : tuple of float
        Rows and columns in nm.
    spacing
        Of the strongest lattice in nm, see `particlespy_ml.quality.spectrum.strongest_spacing`.
    diameter
        Of a typical particle in nm: a lattice repeats within one, an array of particles does not.

    Examples
    --------
    >>> calibration_fault((0.02, 0.02), spacing=0.235)
    ''
    >>> calibration_fault((0.2, 0.2), spacing=2.35, diameter=20)[:31]
    'a lattice of 2.35 nm is coarser'
    """
    size = np.asarray(pixel_size, float)
    if not (size > PIXELS[0]).all() or not (size < PIXELS[1]).all():
        return f"pixels of {size.max():.3g} nm: no micrograph of particles has such"
    if spacing < SPACINGS[0]:
        return f"a lattice of {spacing:.3g} nm is finer than the strongest one of any metal"
    if spacing > SPACINGS[1] and diameter > 4 * spacing:
        return f"a lattice of {spacing:.3g} nm is coarser than the strongest one of any metal or simple oxide"
    return ""
