"""Shape of particles as numbers: Fourier descriptors, moments and radial profiles that no rotation changes."""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np
from scipy import ndimage as ndi

FOLDS = (2, 3, 4, 5, 6, 7, 8)
ZERNIKE_ORDER = 6
RINGS = 8
WINDOW = 48  # samples along the edge of the window that moments are taken of


def fourier_coefficients(outlines: np.ndarray, harmonics: int) -> np.ndarray:
    """Return the elliptic Fourier coefficients of closed polygons in their complex form.

    The polygon x + i y, run through at constant speed, is the sum of c_n exp(2 pi i n t) over all integers n. The
    ellipse of the nth harmonic of Kuhl and Giardina has the half axes ``|c_n| + |c_-n|`` and ``||c_n| - |c_-n||``.

    Parameters
    ----------
    outlines
        Vertices (x, y), shape (particles, points, 2), the first not repeated.
    harmonics
        Largest n.

    Returns
    -------
    numpy.ndarray
        c_n for n from -harmonics to harmonics without 0, shape (particles, 2 harmonics), complex. NaN for polygons
        of no length.

    References
    ----------
    F. P. Kuhl and C. R. Giardina, Computer Graphics and Image Processing 18, 236 (1982).

    Examples
    --------
    >>> import numpy as np
    >>> turn = np.exp(2j * np.pi * np.arange(64) / 64)
    >>> coefficients = fourier_coefficients(np.stack([turn.real, turn.imag], -1)[None], 2)
    >>> np.abs(coefficients[0]).round(3)
    array([0.   , 0.   , 0.999, 0.   ])
    """
    points = np.asarray(outlines, dtype=float)
    z = points[..., 0] + 1j * points[..., 1]
    step = np.roll(z, -1, axis=1) - z
    length = np.abs(step)
    total = length.sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        end = np.cumsum(length, axis=1) / total
        slope = np.where(length > 0, step / length, 0) * total
    start = np.concatenate([np.zeros_like(total), end[:, :-1]], axis=1)
    orders = np.concatenate([np.arange(-harmonics, 0), np.arange(1, harmonics + 1)])
    out = np.empty((len(z), len(orders)), complex)
    for i, n in enumerate(orders):
        waves = np.exp(-2j * np.pi * n * end) - np.exp(-2j * np.pi * n * start)
        out[:, i] = (slope * waves).sum(1) / (2 * np.pi * n) ** 2
    return np.where(total > 0, out, np.nan)


def fourier_descriptors(outlines: np.ndarray, folds: tuple[int, ...] = FOLDS) -> np.ndarray:
    """Return how strongly an outline has each rotational symmetry: 0 for circles, large along ellipses for 2.

    An outline that looks the same after 1/k of a turn has coefficients c_n for n = 1 + m k alone, so
    sqrt(|c_1-k|^2 + |c_1+k|^2) / |c_1| tells ellipses (2), triangles (3), squares (4) and hexagons (6) apart. Where the
    outline starts, and how it is shifted, turned, scaled or mirrored does not change it. A regular polygon of k sides
    has sqrt(1 / (k - 1)^4 + 1 / (k + 1)^4) at k.

    Parameters
    ----------
    outlines
        Vertices (x, y), shape (particles, points, 2).
    folds
        The symmetries k, 2 or more.

    Returns
    -------
    numpy.ndarray
        Shape (particles, folds).
    """
    harmonics = max(folds) + 1
    size = np.abs(fourier_coefficients(outlines, harmonics))
    plus, minus = size[:, harmonics:], size[:, harmonics - 1 :: -1]  # |c_n| and |c_-n| at n - 1
    clockwise = (minus[:, 0] > plus[:, 0])[:, None]
    plus, minus = np.where(clockwise, minus, plus), np.where(clockwise, plus, minus)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [np.hypot(minus[:, k - 2], plus[:, k]) / plus[:, 0] for k in folds]
    return np.stack(columns, axis=1)


def hu_moments(image: np.ndarray) -> np.ndarray:
    """Return Hu's seven moment invariants as roots of one degree, so that they are of like size.

    The kth is ``sign(h) |h| ** (1 / d)`` with its degree d in the normalised moments (1, 2, 2, 2, 4, 3, 4). The seventh
    changes its sign in a mirror, and is taken without it.

    Parameters
    ----------
    image
        Mask or intensity, shape (rows, columns).

    Returns
    -------
    numpy.ndarray
        Shape (7,); NaN where the image's sum is not positive.

    References
    ----------
    M.-K. Hu, IRE Transactions on Information Theory 8, 179 (1962), through `skimage.measure.moments_hu`.
    """
    from skimage.measure import moments_central, moments_hu, moments_normalized

    image = np.asarray(image, dtype=float)
    if not image.sum() > 0:
        return np.full(7, np.nan)
    h = moments_hu(moments_normalized(moments_central(image, order=3)))
    out = np.sign(h) * np.abs(h) ** (1 / np.array([1, 2, 2, 2, 4, 3, 4]))
    out[6] = abs(out[6])
    return out


def zernike_orders(order: int = ZERNIKE_ORDER) -> list[tuple[int, int]]:
    """Return the pairs (n, m) of Zernike polynomials from n = 2 to an order, m from 0 or 1."""
    return [(n, m) for n in range(2, order + 1) for m in range(n % 2, n + 1, 2)]


def zernike_moduli(image: np.ndarray, order: int = ZERNIKE_ORDER) -> np.ndarray:
    """Return the moduli of the Zernike moments of an image on the disk that its window holds, over that of order 0.

    Parameters
    ----------
    image
        Mask or intensity about the middle of the window, shape (edge, edge). The disk touches the window's edges.
    order
        Largest n; the pairs (n, m) are those of `zernike_orders`.

    Returns
    -------
    numpy.ndarray
        |A_nm| / |A_00|, no rotation or mirror changes it. NaN where A_00 is not positive.

    References
    ----------
    A. Khotanzad and Y. H. Hong, IEEE Trans. Pattern Anal. Mach. Intell. 12, 489 (1990).
    """
    image = np.asarray(image, dtype=float)
    parts = _zernike_basis(image.shape[0], order) @ image.ravel()
    moments = np.hypot(*parts.reshape(2, -1))
    scales = np.array([n + 1 for n, _ in zernike_orders(order)])
    total = (image * (_zernike_grid(image.shape[0])[0] <= 1)).sum()
    return scales * moments / total if total > 0 else np.full(len(scales), np.nan)


@lru_cache(maxsize=4)
def _zernike_grid(edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Radius and angle of the pixels of a window, whose inscribed disk has the radius 1."""
    y, x = (np.indices((edge, edge)) - (edge - 1) / 2) / (edge / 2)
    return np.hypot(x, y), np.arctan2(y, x)


@lru_cache(maxsize=4)
def _zernike_basis(edge: int, order: int) -> np.ndarray:
    """Zernike polynomials on a window's pixels, 0 outside of the disk, shape (2 pairs, pixels): cosines, then sines."""
    radius, angle = _zernike_grid(edge)
    radial = [(np.where(radius <= 1, zernike_radial(n, m, radius), 0), m) for n, m in zernike_orders(order)]
    waves = [values * wave(m * angle) for wave in (np.cos, np.sin) for values, m in radial]
    return np.array(waves).reshape(len(waves), -1)


def zernike_radial(n: int, m: int, radius: np.ndarray) -> np.ndarray:
    """Return the radial Zernike polynomial R_nm at some radii."""
    terms = [
        (-1) ** s * factorial(n - s) / (factorial(s) * factorial((n + m) // 2 - s) * factorial((n - m) // 2 - s))
        for s in range((n - m) // 2 + 1)
    ]
    return sum(term * radius ** (n - 2 * s) for s, term in enumerate(terms))


def radial_profile(image: np.ndarray, inside: np.ndarray, rings: int = RINGS) -> np.ndarray:
    """Return the mean intensity in rings about the middle of a window, over the mean of the whole particle.

    Parameters
    ----------
    image
        Intensity above the background, shape (edge, edge). The outermost ring ends at the window's edges.
    inside
        Pixels of the particle.
    rings
        Number of rings of equal width.

    Returns
    -------
    numpy.ndarray
        From the middle outwards. The pixels of a ring outside of the particle count as zero, so the profile knows the
        shape as well. NaN where the particle's mean is not positive.
    """
    radius, _ = _zernike_grid(len(image))
    number = np.minimum((radius * rings).astype(int), rings)
    values = np.where(inside, image, 0.0)
    sums = np.bincount(number.ravel(), values.ravel(), minlength=rings + 1)[:rings]
    counts = np.bincount(number.ravel(), minlength=rings + 1)[:rings]
    mean = values[inside].mean() if inside.any() else np.nan
    return sums / counts / mean if mean > 0 else np.full(rings, np.nan)


def outline_centre(outline: np.ndarray) -> np.ndarray:
    """Return the centroid (x, y) of the area of a closed polygon; the mean of its vertices where it has no area."""
    points = np.asarray(outline, dtype=float)
    middle = points.mean(0)
    x, y = (points - middle).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum() / 2
    if abs(area) <= 1e-12 * np.abs(points - middle).max(initial=0) ** 2:
        return middle
    return middle + np.array([((x + np.roll(x, -1)) * cross).sum(), ((y + np.roll(y, -1)) * cross).sum()]) / (6 * area)


def window_of(outline: np.ndarray, edge: int = WINDOW) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mask of an outline in a square window about its centroid, and where the window's samples lie.

    The window's inscribed disk is the smallest about the centroid that holds the outline, with a margin of 2 %.

    Parameters
    ----------
    outline
        Vertices (x, y), shape (points, 2), in any unit.
    edge
        Samples along the window's edges.

    Returns
    -------
    mask, x, y
        Shape (edge, edge), (edge,) and (edge,).
    """
    from skimage.draw import polygon2mask

    centre = outline_centre(outline)
    reach = 1.02 * np.hypot(*(outline - centre).T).max()
    steps = (np.arange(edge) - (edge - 1) / 2) / (edge / 2) * reach
    scaled = (outline - centre) / max(reach, 1e-300) * (edge / 2) + (edge - 1) / 2
    return polygon2mask((edge, edge), scaled[:, ::-1]), centre[0] + steps, centre[1] + steps


def sample(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return an image linearly interpolated on the grid of some rows and columns in pixels, its edges going on."""
    return ndi.map_coordinates(
        np.asarray(image, dtype=np.float32), np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest"
    )
