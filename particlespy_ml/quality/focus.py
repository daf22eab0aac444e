"""Whether an image is in focus: a score, and in words what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.quality.spectrum import Spectrum, power_spectrum, strongest_spacing

# Edges: the finest smoothing in pixels and nm, and the ratio of the two smoothings.
FINEST_PIXELS, FINEST_NM, WIDER = 1.0, 0.05, 1.5
# By order of the derivatives, the exponent of what a blurred edge has of them, squared: for second ones between 3/2 for
# the edge of a disk and 1 for that of a sphere's projection; for first ones, where noise hides those, 1/2 and less.
EXPONENTS = {2: 1.25, 1: 0.4}
SIGNIFICANT = 5.0  # times its error, for what counts as more than noise
# Blur at which the score is one half: in nm, or in pixels where these are coarse.
HALF_NM, HALF_PIXELS = 0.2, 3.0
COARSE = 2.5  # 1/nm: contrasts are those of what is less fine
COARSEST_LATTICE = 0.55  # nm: what repeats less finely is no lattice of atoms
# Rings: spacing whose fringes are displaced by themselves at a score of one half, spread of the heights of the
# specimen, and frequencies that are looked at.
SPACING, HEIGHTS, LOWEST, HIGHEST = 0.235, 3.0, 0.4, 9.0
MODEL_ERROR = 0.08  # relative, of smooth curves for the power of an amorphous film
LEAST_GAIN = 0.05  # by how much, relatively, rings must fit better than a curve without them
LEAST_SIGNAL = 30.0  # by how much the sum of squares must be less than that of noise and background alone


@dataclass(frozen=True)
class Focus:
    """How well an image is in focus.

    Parameters
    ----------
    score
        From 0 to 1; NaN where it cannot be told.
    used
        What it rests on: "Thon rings", "lattice", "edges", or nothing.
    reason
        The same in words, with the number behind it.
    blur
        Standard deviation in nm of the Gaussian that blurs the edges like that, NaN where it was not measured.
    defocus
        Distance from focus in nm by Thon rings, NaN where there are none.
    """

    score: float
    used: str
    reason: str
    blur: float = float("nan")
    defocus: float = float("nan")


def focus_score(
    image: np.ndarray,
    pixel_size: tuple[float, float],
    *,
    energy: float | None = None,
    spherical_aberration: float = 0.0,
    spectrum: Spectrum | None = None,
) -> Focus:
    """Score the focus of one image from 0 to 1.

    For images of a parallel beam the score is that of `defocus_by_rings`, where Thon rings of an amorphous film can be
    seen: one half where fringes of 0.235 nm appear beside their particle by their own spacing. For all others it is
    that of `blur_of_edges`, which a lattice sharpens: one half at a blur of 0.2 nm, or of three pixels where these are
    larger. Scores of images of the same kind, magnification and dose compare; those of different ones do roughly.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    pixel_size : tuple of float
        Rows and columns in nm.
    energy : float, optional
        Energy of a parallel beam in keV; without, the image is scanned (HAADF), and rings are not looked for.
    spherical_aberration : float
        Of the objective lens in mm; about 0 where it is corrected.
    spectrum : Spectrum, optional
        That of the image, where it was computed before.

    Returns
    -------
    Focus

    Raises
    ------
    ValueError
        If the image is smaller than 16 x 16 pixels, or *pixel_size* or *energy* is not above zero.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> from scipy.ndimage import gaussian_filter
    >>> image = pml.data.gold_on_carbon().data.astype(float)
    >>> sharp, blurred = (focus_score(one, (0.04, 0.04)) for one in (image, gaussian_filter(image, 8)))
    >>> sharp.score > 0.5 > blurred.score
    True
    """
    if energy is not None and not (np.isfinite(energy) and energy > 0):
        raise ValueError(f"energy={energy!r}; expected an energy in keV above zero, or None for a scanned image.")
    spectrum = power_spectrum(image, pixel_size) if spectrum is None else spectrum
    if not spectrum.power.any():
        return Focus(float("nan"), "", "a constant image shows no focus")
    said = ""
    if energy is not None:
        defocus, gain = defocus_by_rings(spectrum, energy, spherical_aberration)
        if gain > LEAST_GAIN:
            length = wavelength(energy)
            apart = abs(spherical_aberration * 1e6 * length**3 / SPACING**3 - defocus * length / SPACING)
            score = float(1 / (1 + apart / SPACING))
            text = f"Thon rings: {abs(defocus):.0f} nm from focus, fringes lie {apart:.2f} nm beside their particle"
            return Focus(score, "Thon rings", text, defocus=float(defocus))
        said = "no Thon rings; "
    blur, finest = blur_of_edges(spectrum)
    if np.isnan(blur):
        return Focus(float("nan"), "", f"{said}nothing stands out from the noise")
    half = max(HALF_NM, HALF_PIXELS / (2 * spectrum.nyquist))
    spacing = strongest_spacing(spectrum)
    used = "lattice" if spacing < COARSEST_LATTICE else "edges"
    what = f"a lattice of {spacing:.3g} nm is resolved, " if used == "lattice" else ""
    hidden = f", as fine as noise lets see ({finest:.2g} nm)" if blur < 1.3 * finest and used == "edges" else ""
    return Focus(
        float(1 / (1 + (blur / half) ** 2)),
        used,
        f"{said}{what}edges are blurred by {blur:.2g} nm{hidden}",
        blur=float(blur),
    )


def wavelength(energy: float) -> float:
    """Return the relativistic wavelength in nm of electrons of some energy in keV.

    Examples
    --------
    >>> round(wavelength(300), 6)
    0.001969
    """
    rest = 510.99895
    return float(1.2398419843320 / np.sqrt(energy * (2 * rest + energy)))


def blur_of_edges(spectrum: Spectrum) -> tuple[float, float]:
    """Measure how blurred what an image shows is, with no need to know what that is.

    Squared second derivatives of an edge that a Gaussian of standard deviation s blurs add up to s**-3 for a step and
    to s**-2 for the outline of a sphere in projection. Two more smoothings, of which the ratio q of these sums is
    taken, give s without contrast and length of the edges. The ratio is an average of a decreasing function of the
    frequency over the spectrum. Blurring moves the spectrum to lower frequencies, so that the result grows with every
    further Gaussian blur of any image (an inequality of Chebyshev's). White noise is subtracted; where it hides second
    derivatives, first ones are taken.

    Parameters
    ----------
    spectrum
        That of the image.

    Returns
    -------
    blur : float
        Standard deviation in nm, the finer of the two smoothings included; NaN where nothing stands out from noise.
    finest : float
        The finer smoothing in nm: as fine as the noise allows.

    References
    ----------
    F. Crete et al., Proc. SPIE 6492, 64920I (2007), for the idea of blurring again; derivatives and noise are as above.
    """
    k2 = spectrum.frequency**2
    noise = spectrum.noise()
    lowest = (2.5 * spectrum.step) ** 2  # what the window has of the background
    inside = (k2 > lowest) & (k2 < (1.1 * spectrum.nyquist) ** 2)
    k2, power = k2[inside].astype(np.float32), spectrum.power[inside]
    twice = np.broadcast_to(spectrum.twice, inside.shape)[inside]
    pixel = 0.5 / spectrum.nyquist
    finer = max(FINEST_PIXELS * pixel, FINEST_NM)
    longest = 0.1 / spectrum.step
    for order, exponent in EXPONENTS.items():
        width = finer
        while width < longest:
            weight = twice * k2**order * np.exp(-4 * np.pi**2 * width**2 * k2)
            signal = weight * (power - noise)
            total = signal.sum()
            # of the powers of noise, which are exponential, and of its mean
            error = noise * (np.sqrt((weight**2).sum()) + 0.02 * weight.sum())
            wider2 = width**2 * (WIDER**2 - 1)
            smoothed = (signal * np.exp(-4 * np.pi**2 * wider2 * k2)).sum()
            if total > SIGNIFICANT * error and 0 < smoothed < total:
                blur = np.sqrt(wider2 / ((total / smoothed) ** (1 / exponent) - 1))
                return float(blur), float(width)
            width *= WIDER
    return float("nan"), float("nan")


def field_contrast(image: np.ndarray, spectrum: Spectrum) -> float:
    """Measure the contrast of an image, by which scanned images of one field compare.

    It is the spread of brightness relative to its mean, less noise, of what is coarser than 0.4 nm. A probe out of
    focus lowers it, however it is spread; of images of one field, recorded with the same settings, the one in focus has
    the most. It is no score: other fields have another contrast.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    spectrum
        That of the image.

    Returns
    -------
    float
        NaN where the mean is not above zero, or nothing stands out from the noise.

    References
    ----------
    S. J. Erasmus and K. C. A. Smith, J. Microsc. 127, 185 (1982); F. C. A. Groen et al., Cytometry 6, 81 (1985).

    Examples
    --------
    >>> import numpy as np
    >>> waves = 10 + 3 * np.sin(2 * np.pi * np.arange(256) / 32)[:, None] * np.ones(256)
    >>> bool(abs(field_contrast(waves, power_spectrum(waves, (0.1, 0.1))) - 0.3 / np.sqrt(2)) < 0.003)
    True
    """
    known = np.isfinite(image)
    mean = float(np.mean(image, where=known, dtype=float)) if known.any() else 0.0
    inside = (spectrum.frequency > 2.5 * spectrum.step) & (spectrum.frequency < COARSE)
    twice = np.broadcast_to(spectrum.twice, inside.shape)
    signal = float((twice * (spectrum.power - spectrum.noise()))[inside].sum())
    if not (mean > 0 and signal > SIGNIFICANT * spectrum.noise() * np.sqrt((twice[inside] ** 2).sum())):
        return float("nan")
    return float(np.sqrt(signal / twice.sum()) / mean)


def defocus_by_rings(spectrum: Spectrum, energy: float, spherical_aberration: float = 0.0) -> tuple[float, float]:
    """Find the defocus of an image of a parallel beam by the Thon rings of what is amorphous in it.

    The power around rings, less spots of lattices, is fitted for each defocus by the transfer of a weak phase object,
    averaged over the heights of the specimen, times smooth curves, on noise and on a background that transfer leaves
    alone; weights are those of exponential powers.

    Parameters
    ----------
    spectrum
        That of the image.
    energy
        In keV.
    spherical_aberration
        In mm.

    Returns
    -------
    defocus : float
        In nm. Without spherical aberration its sign cannot be told, and it is positive (underfocus).
    gain : float
        By how much the fit is better than one without transfer: 1 - the ratio of the two sums of squares; 0 where
        nothing stands out from the noise.

    References
    ----------
    F. Thon, Z. Naturforsch. A 21, 476 (1966); J. A. Mindell and N. Grigorieff, J. Struct. Biol. 142, 334 (2003).
    """
    frequency, power, count = spectrum.rings()
    inside = (frequency > max(LOWEST, 2.5 * spectrum.step)) & (frequency < min(HIGHEST, 0.95 * spectrum.nyquist))
    k, power, count = frequency[inside], power[inside], count[inside]
    if len(k) < 12 or not (power > 0).all():
        return float("nan"), 0.0
    error = power * np.sqrt(1 / count + MODEL_ERROR**2)
    length = wavelength(energy)
    curves = np.stack([np.exp(-0.5 * (k / width) ** 2) for width in (1.5, 2.5, 4.0, 7.0)], 1)
    fixed = np.stack([np.ones_like(k), np.exp(-k / (0.5 * spectrum.nyquist)), (k[0] / k) ** 3], 1) * np.median(power)
    scale = np.array([power.max()])
    spherical = np.pi / 2 * spherical_aberration * 1e6 * length**3 * k**4
    damping = np.exp(-2 * (np.pi * length * HEIGHTS * k**2) ** 2)
    grid = np.concatenate([np.arange(0, 20, 1.0), np.geomspace(20, 1500, 90)])
    if spherical_aberration:
        grid = np.concatenate([-grid[:0:-1], grid])

    def misfit(transfer: np.ndarray) -> float:
        columns = np.concatenate([fixed, scale * curves * transfer[:, None]], 1) / error[:, None]
        return _misfit(columns, power / error)

    found = []
    for defocus in grid:
        phase = spherical - np.pi * length * defocus * k**2
        found.append(misfit(0.5 * (1 - np.cos(2 * phase) * damping)))
    best, smooth = int(np.argmin(found)), misfit(np.ones_like(k))
    nothing = _misfit(fixed / error[:, None], power / error)
    if not (0 < smooth < np.inf and nothing - found[best] > LEAST_SIGNAL):
        return float("nan"), 0.0
    return float(grid[best]), float(1 - found[best] / smooth)


def _misfit(columns: np.ndarray, values: np.ndarray) -> float:
    """Sum of squares of the best fit with amounts that are not below zero; infinite where none was found."""
    from scipy.optimize import nnls

    columns = columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
    # of the normal equations' factor, which has few rows
    q, r = np.linalg.qr(columns)
    inner = q.T @ values
    try:
        _, rest = nnls(r, inner, maxiter=200)
    except RuntimeError:
        return float("inf")
    return float(values @ values - inner @ inner + rest**2)
