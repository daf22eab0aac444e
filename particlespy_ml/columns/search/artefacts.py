"""Columns that are none: what the tails of other columns, or a background that curves, leave of an image.

Gaussians of one width describe columns well, but not all that is around them: a probe has tails and rings, a support
slopes and curves. Electrons are many, so that what the model leaves is significant, and looks like faint columns.
A faint column is kept where the image has a peak of the width of a column, beyond what the other columns' own profile
leaves there, as learnt from the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix
from scipy.spatial import QhullError, Voronoi, cKDTree
from scipy.stats import norm

from particlespy_ml.columns.fit.gaussians import ColumnFit, gaussian_columns
from particlespy_ml.columns.search.places import group_sizes
from particlespy_ml.columns.search.significance import column_significance, null_noise

FAINT = 0.4  # of the strongest column around: only what is fainter may be something else
AROUND, BESIDE = 2.6, 1.6  # distances between neighbours: columns around a place, and beside it
RADIUS, WIDTHS = 0.62, 2.7  # distances between neighbours, and widths: pixels that are asked whether there is a peak
PEAK = 0.4  # of the volume has to be in a peak: what else it holds may be light of something smooth
SURE = 1.5  # standard errors below that, before a column is taken for none
OF_COLUMNS, OF_LIGHT = (0.9, 0.2), (0.2, 0.1)  # mean and spread of the share of a volume that is in a peak
BEFORE = 0.5, 2.0  # as if so many of smooth light and of columns had been seen before
SMALLEST = 0.05  # of its volume: less of a peak nothing can be told by
SMOOTH = 0.7  # distances between neighbours: what is smoother is no column
# standard deviations of what is left between columns, which a faint column has to reach: on a site that follows from
# two others, and elsewhere, where there are many more places at which something may stand out by chance
ON_SITE, ELSEWHERE = 2.0, 2.5
NOISY = 8  # power: a peak below nothing counts as noise where what is left is less than about half of the noise
SAME_SITE = 0.25  # of the distance between neighbours
BRIGHTER = 1.5  # times as bright as a column: those that say where the next one of their row is
FEWEST_PLACES = 20  # between columns: fewer do not say how much is left there
MEDIAN_ERROR = 1.2  # standard error of the median absolute deviation of n normal numbers, relative, times root n
MOST_PLACES = 400  # that are looked at
PROFILE = 1.2  # distances between neighbours: how far the profile of a column reaches
CHANCE = 3.0  # times its radii: what a profile has to explain, in units of the noise, before it counts
PROFILE_ERROR = 0.3  # of the profile: how much it differs from column to column, with their number of atoms
STEP = 0.5  # widths from one radius of the profile to the next
PART = 256  # columns whose windows are made at a time


def false_columns(
    image: np.ndarray, fit: ColumnFit, spacing: float, significance: np.ndarray, threshold: float, around=None
) -> np.ndarray:
    """Whether each column is no peak of its own, shape (n,).

    Parameters
    ----------
    image
        Shape (rows, columns).
    fit
        Its columns.
    spacing
        Distance between neighbours in pixels.
    significance, threshold
        Of each column, shape (n,), and what a column needs beside the profile of the others.
    around
        Pixels in which peaks are looked at beside those of the fit, or None: where columns too faint to be told may
        stand, of which the profile of the others is not to be learnt.
    """
    whole = fit if around is None else replace(fit, region=fit.region | around)
    faint = faint_columns(fit.positions, fit.volumes, spacing)
    size = group_sizes(fit.positions, BESIDE * spacing)
    faint |= (size < FEWEST_PLACES) & (size < 0.5 * size.max())  # and what lies apart from a particle
    if not faint.any():
        return faint
    strong = ~faint
    left, leftover = image - fit.model + column_image(image.shape, fit, faint), 0.0
    which = np.flatnonzero(faint)
    of_others = np.zeros(len(which))
    sites = np.zeros(len(faint), bool)
    sites[which] = on_sites(fit.positions, fit.volumes, which, spacing)
    if strong.sum() > FEWEST_PLACES:
        # what lies on sites may well be columns, whose light is not to be taken for the profile of their neighbours
        others = profile_image(left - column_image(image.shape, fit, sites), fit, strong, spacing)
        left = left - others
        leftover = left_between(left, whole, strong, spacing, image)
        of_others = matched_volumes(others, fit.positions[which], float(fit.widths.mean()))
    # a smooth rim is a row of Gaussians as well, of which each alone would be a peak: all of them are left out together
    given = column_image(image.shape, fit, faint)
    (peak, expected), noise, (inflated, _) = local_peaks(np.stack([left, given]), whole, which, spacing, image)
    volumes = np.maximum(fit.volumes, 0)
    expected = np.maximum(expected, SMALLEST * np.maximum(volumes[which], SMALLEST * volumes.max()))
    if not volumes.any():
        return faint
    share, error = peak / expected, inflated / expected
    beside = cKDTree(fit.positions).query_ball_point(fit.positions[which], BESIDE * spacing)
    stands_out = np.where(sites[which], ON_SITE, ELSEWHERE)
    false = np.zeros(len(faint), bool)
    false[which] = (share < PEAK - SURE * error) | (smooth_light(share, error) > 0.5)
    # the profile is not quite the same for all columns
    deviation = np.maximum(volumes[which], 1e-300) / np.maximum(significance[which], 1e-300)
    deviation = np.hypot(deviation, PROFILE_ERROR * of_others)
    false[which] |= (of_others > 0) & (volumes[which] - of_others < threshold * deviation)
    for _ in which:
        # of what stands beside a column, brighter ones alone leave more than it has itself
        known = np.where(false, 0.0, volumes)
        brightest = np.array([np.sort(known[near])[-3:].mean() for near in beside])
        alone = np.array([np.sum(known[near] > 0) < 2 for near in beside])
        # as far as what is left is more than noise; where it is not, the test of significance is all that is needed
        rest = leftover * brightest
        total = np.maximum(np.hypot(rest, noise), 1e-300)
        needed = stands_out * rest**2 / total - SURE * noise * (noise / total) ** NOISY
        new = ~false[which] & ((peak < needed) | alone)
        if not new.any():
            break
        false[which[new]] = True
    return false


def smooth_light(share: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the probability that each Gaussian stands for smooth light, from the share of it that is in a peak.

    The shares of columns scatter about `OF_COLUMNS`, those of Gaussians on noise and on light that is smooth but for
    its slope about `OF_LIGHT`; how many of all are such, all together tell (B. Efron, Large-Scale Inference (2010),
    chapter 5).

    Parameters
    ----------
    share, error
        Of the volume that is in a peak, and its standard error; each of shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.search.artefacts import smooth_light
    >>> smooth_light(np.array([0.2, 0.3, 0.1, 0.9]), np.full(4, 0.2)).round(1)
    array([1. , 0.9, 1. , 0. ])
    """
    density = [norm.pdf(share, mean, np.hypot(spread, error)) for mean, spread in (OF_LIGHT, OF_COLUMNS)]
    some, none = BEFORE
    part = some / (some + none)
    for _ in range(30):
        light = part * density[0] / np.maximum(part * density[0] + (1 - part) * density[1], 1e-300)
        part = (light.sum() + some) / (len(share) + some + none)
    return light


def matched_volumes(image: np.ndarray, positions: np.ndarray, width: float) -> np.ndarray:
    """Return the volumes of Gaussians that fit an image best at positions, each for itself, shape (n,)."""
    nearest = np.clip(np.rint(positions).astype(int), 0, np.array(image.shape) - 1)
    return 4 * np.pi * width**2 * gaussian_filter(image, width)[tuple(nearest.T)]


def on_sites(positions: np.ndarray, volumes: np.ndarray, which: np.ndarray, spacing: float) -> np.ndarray:
    """Whether each of some columns continues a row: two brighter ones lie on a line with it, in steps of one length.

    Parameters
    ----------
    positions
        Of all columns in pixels, shape (n, 2).
    volumes
        Of all columns, shape (n,).
    which
        Indices of those that are asked for, shape (m,).
    spacing
        Distance between neighbours in pixels.
    """
    tree = cKDTree(positions)
    found = np.zeros(len(which), bool)
    for number, index in enumerate(which):
        place, least = positions[index], BRIGHTER * volumes[index]
        near = np.array(tree.query_ball_point(place, BESIDE * spacing))
        near = near[(volumes[near] > least) & (np.linalg.norm(positions[near] - place, axis=1) > SAME_SITE * spacing)]
        if len(near):
            distance, beyond = tree.query(2 * positions[near] - place)
            found[number] = np.any((distance < SAME_SITE * spacing) & (volumes[beyond] > least))
    return found


def smooth_rest(image: np.ndarray, fit: ColumnFit, without: np.ndarray, spacing: float, around=None) -> np.ndarray:
    """Return what a fit leaves of an image without some of its columns, as far as it is too smooth to be columns.

    Parameters
    ----------
    image
        Shape (rows, columns).
    fit
        Its columns.
    without
        Those that are left out, shape (n,).
    spacing
        Distance between neighbours in pixels.
    around
        Pixels that count beside those of the fit, or None.

    Returns
    -------
    numpy.ndarray
        Shape of the image; zero outside of these pixels, and everywhere where no column is left out.
    """
    if not without.any():
        return np.zeros(image.shape)
    region = (fit.region if around is None else fit.region | around).astype(float)
    left = (image - fit.model + column_image(image.shape, fit, without)) * region
    share = gaussian_filter(region, SMOOTH * spacing)
    return gaussian_filter(left, SMOOTH * spacing) / np.maximum(share, 0.1) * region


def left_between(residual: np.ndarray, fit: ColumnFit, which: np.ndarray, spacing: float, image) -> float:
    """Return the standard deviation of the peaks between columns, over the volume of the columns beside them.

    These are peaks of scan noise, probe tails and a background that is not smooth. Shot noise is taken out.

    Parameters
    ----------
    residual
        Image minus model, shape (rows, columns).
    fit
        Columns.
    which
        Those whose surroundings are looked at, shape (n,).
    spacing
        Distance between neighbours in pixels.
    """
    positions, volumes = fit.positions[which], fit.volumes[which]
    try:
        places = Voronoi(positions).vertices
    except QhullError:  # columns along a line
        return 0.0
    distance, nearest = cKDTree(positions).query(places, 3)
    inside = np.all((places > 0) & (places < np.array(residual.shape) - 1), axis=1)
    between = inside & (distance[:, 0] > 0.4 * spacing) & (distance[:, 2] < spacing)
    places, nearest = places[between], nearest[between]
    if len(places) < FEWEST_PLACES:
        return 0.0
    chosen = np.unique(np.linspace(0, len(places) - 1, MOST_PLACES).astype(int))
    places, beside = places[chosen], volumes[nearest[chosen]].mean(1)
    width = np.full(len(places), fit.widths.mean())
    alike = replace(fit, positions=places, volumes=beside, widths=width)
    peak, noise, _ = local_peaks(residual, alike, np.arange(len(places)), spacing, image)
    share, noise = peak / beside, noise / beside
    spread = 1.4826 * np.median(np.abs(share - np.median(share)))
    spread *= 1 - MEDIAN_ERROR / np.sqrt(len(share))  # what may be chance is no more than noise
    return float(np.sqrt(max(spread**2 - np.median(noise) ** 2, 0.0)))


def without_false_columns(
    image: np.ndarray, fit: ColumnFit, spacing: float, threshold: float, refit: Callable, around=None, rounds: int = 4
):
    """Take out false columns until there is none, with the light that they stood for as a part of the background.

    Parameters
    ----------
    image
        Shape (rows, columns).
    fit
        Its columns, n of them.
    spacing
        Distance between neighbours in pixels.
    threshold
        Significance that a column needs.
    refit
        Called with an image and the indices of some of the n columns: their fit.
    around
        See `false_columns`.
    rounds
        Upper limit of rounds.

    Returns
    -------
    fit : ColumnFit or None
        Of the image without *smooth*; None where no column is left.
    kept : numpy.ndarray
        Indices of its columns among the n.
    smooth : numpy.ndarray
        What belongs to the background beside that of the fit, shape of the image.
    """
    kept, smooth = np.arange(len(fit.positions)), np.zeros(image.shape)
    for _ in range(rounds):
        significance = column_significance(image - smooth, fit)
        false = false_columns(image - smooth, fit, spacing, significance, threshold, around)
        if not false.any():
            break
        smooth = smooth + smooth_rest(image - smooth, fit, false, spacing, around)
        kept = kept[~false]
        if not len(kept):
            return None, kept, smooth
        fit = refit(image - smooth, kept)
    return fit, kept, smooth


def with_background(fit: ColumnFit, smooth: np.ndarray) -> ColumnFit:
    """Return a fit of an image from which *smooth* was taken, as one of the whole image."""
    if not smooth.any():
        return fit
    nearest = np.clip(np.rint(fit.positions).astype(int), 0, np.array(smooth.shape) - 1)
    return replace(fit, model=fit.model + smooth, background=fit.background + smooth[tuple(nearest.T)], smooth=smooth)


def faint_columns(positions: np.ndarray, volumes: np.ndarray, spacing: float) -> np.ndarray:
    """Whether each column is fainter than those around it by so much that it may be something else, shape (n,)."""
    tree = cKDTree(positions)
    around = tree.query_ball_point(positions, AROUND * spacing)
    strongest = np.array([np.max(volumes[near]) for near in around])
    return volumes < FAINT * strongest


def column_image(shape, fit: ColumnFit, which: np.ndarray) -> np.ndarray:
    """Return the image of some of the columns of a fit."""
    return gaussian_columns(shape, fit.positions[which], fit.volumes[which], fit.widths[which])


def profile_image(residual: np.ndarray, fit: ColumnFit, which: np.ndarray, spacing: float) -> np.ndarray:
    """Return what columns have beside their Gaussians: one radial profile of all, by least squares, at each of them.

    Parameters
    ----------
    residual
        Image minus model, shape (rows, columns).
    fit
        Columns.
    which
        Those whose profile it is, shape (n,).
    spacing
        Distance between neighbours in pixels.

    Returns
    -------
    numpy.ndarray
        Shape of the residual.
    """
    radii = np.arange(0, PROFILE * spacing + STEP * fit.widths.mean(), STEP * float(fit.widths.mean()))
    design = _rings(residual.shape, fit.positions[which], fit.volumes[which], radii)
    variance, _ = null_noise(fit)
    weight = (fit.region / variance).ravel()
    matrix = (design.T @ design.multiply(weight[:, None])).toarray()
    right = design.T @ (weight * residual.ravel())
    values = np.linalg.lstsq(matrix + 1e-9 * np.trace(matrix) * np.eye(len(matrix)), right, rcond=None)[0]
    # noise alone explains as much as there are radii; the estimate is shrunk by that (W. James and C. Stein, 1961)
    explained = float(values @ right)
    kept = max(1 - CHANCE * len(values) / explained, 0.0) if explained > 0 else 0.0
    return kept * (design @ values).reshape(residual.shape)


def _rings(shape, positions, volumes, radii) -> csr_matrix:
    """Sums over columns of triangles about each radius but the last, times volumes; shape (pixels, r - 1)."""
    step = radii[1]
    half = int(np.ceil(radii[-1]))
    offsets = np.arange(-half, half + 1)
    total = csr_matrix((int(np.prod(shape)), len(radii)))
    for start in range(0, len(positions), PART):
        place, volume = positions[start : start + PART], volumes[start : start + PART]
        rows, columns = (np.rint(place[:, axis, None]).astype(int) + offsets for axis in (0, 1))
        distance = np.hypot((rows - place[:, :1])[:, :, None], (columns - place[:, 1:])[:, None, :]) / step
        inside = (rows >= 0)[:, :, None] & (rows < shape[0])[:, :, None]
        inside = inside & ((columns >= 0) & (columns < shape[1]))[:, None, :] & (distance < len(radii) - 1)
        flat = (rows[:, :, None] * shape[1] + columns[:, None, :])[inside]
        below = distance[inside].astype(int)
        share = distance[inside] - below
        values = np.broadcast_to(volume[:, None, None], distance.shape)[inside]
        entries = np.concatenate([values * (1 - share), values * share])
        where = np.concatenate([flat, flat]), np.concatenate([below, below + 1])
        total = total + csr_matrix((entries, where), shape=total.shape)
    return total[:, :-1]


def local_peaks(residual: np.ndarray, fit: ColumnFit, which: np.ndarray, spacing: float, image: np.ndarray):
    """Return volumes of peaks on a curved background of their own, and their errors.

    At each column its Gaussian is fitted to what is left of the image, with a polynomial of the second degree and a
    ridge across the slope of the image, as the rim of a particle has it.

    Parameters
    ----------
    residual
        What is left of the image, the columns that are asked for included, shape (rows, columns), or several of them,
        shape (k, rows, columns).
    fit
        Columns.
    which
        Indices of those that are asked for, shape (m,).
    spacing
        Distance between neighbours in pixels.
    image
        Whose slope is meant, shape (rows, columns).

    Returns
    -------
    volume
        Of the peak, shape (m,) or (k, m).
    noise
        Its standard error from the noise of the pixels, shape (m,).
    error
        From what this fit leaves where that is more, shape of the volume.
    """
    variance, _ = null_noise(fit)
    radius = max(RADIUS * spacing, WIDTHS * float(fit.widths.mean()), 2.2)
    half = int(np.ceil(radius))
    offsets = np.arange(-half, half + 1)
    slope = np.stack(np.gradient(gaussian_filter(image, SMOOTH * spacing)))
    known = np.pad(fit.region.astype(float), half)
    several = np.reshape(residual, (-1, *fit.region.shape))
    several = np.pad(several, [(0, 0), (half, half), (half, half)], mode="edge")
    variance = np.pad(variance, half, mode="edge")
    shape = np.array(fit.region.shape)
    volume, error = np.empty((2, len(several), len(which)))
    noise = np.empty(len(which))
    for start in range(0, len(which), PART):
        part = which[start : start + PART]
        place, width = fit.positions[part], fit.widths[part, None, None]
        nearest = np.clip(np.rint(place).astype(int), 0, shape - 1)
        rows, columns = (nearest[:, axis, None] + offsets for axis in (0, 1))
        where = rows[:, :, None] + half, columns[:, None, :] + half
        y, x = (rows - place[:, :1])[:, :, None] / width, (columns - place[:, 1:])[:, None, :] / width
        gaussian = np.exp(-0.5 * (y**2 + x**2)) / (2 * np.pi * width**2)
        normal = slope[:, nearest[:, 0], nearest[:, 1]]
        normal = normal / np.maximum(np.hypot(*normal), 1e-300)
        ridge = np.exp(-0.5 * (normal[0][:, None, None] * y + normal[1][:, None, None] * x) ** 2)
        one = np.ones_like(gaussian)
        design = np.stack([gaussian, one, y * one, x * one, y**2 * one, x**2 * one, y * x, ridge], -1)
        weight = known[where] / variance[where] * (np.hypot(y, x) * width <= radius)
        count, terms = len(part), design.shape[-1]
        design, weight = design.reshape(count, -1, terms), weight.reshape(count, -1)
        data = several[:, *where].reshape(len(several), count, -1)
        scale = np.sqrt(np.einsum("nkp,nk->np", design**2, weight)) + 1e-300
        design = design / scale[:, None]
        matrix = np.einsum("nkp,nk,nkr->npr", design, weight, design, optimize=True) + 1e-9 * np.eye(terms)
        inverse = np.linalg.inv(matrix)
        solution = np.einsum("npr,nkr,nk,snk->snp", inverse, design, weight, data, optimize=True)
        fitted = np.einsum("nkp,snp->snk", design, solution)
        seen = np.maximum((weight > 0).sum(1) - terms, 1)
        excess = np.maximum(np.sum(weight * (data - fitted) ** 2, axis=2) / seen, 1)
        to = slice(start, start + count)
        volume[:, to] = solution[:, :, 0] / scale[:, 0]
        noise[to] = np.sqrt(inverse[:, 0, 0]) / scale[:, 0]
        error[:, to] = noise[to] * np.sqrt(excess)
    if np.ndim(residual) == 2:
        return volume[0], noise, error[0]
    return volume, noise, error
