"""Columns on the sites of a lattice that is known from the image as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from particlespy_ml.columns.artefacts import false_columns, smooth_rest, with_background, without_false_columns
from particlespy_ml.columns.background import Background
from particlespy_ml.columns.detection import sites_threshold
from particlespy_ml.columns.gaussians import ColumnFit, typical_volume
from particlespy_ml.columns.image_lattice import ImageLattice
from particlespy_ml.columns.noise import Noise
from particlespy_ml.columns.places import WIDEST, at_pixels, in_sight
from particlespy_ml.columns.refine import measure_volumes, refine_columns
from particlespy_ml.columns.significance import column_significance
from particlespy_ml.columns.zone_axis import particle_outline, without_padding

FEWEST_COLUMNS = 12
FIRST_WIDTH = 0.24  # of the distance between neighbours
FIRST_TIE = 0.08  # of the distance between neighbours: how far columns lie from their sites before it is measured
WIDTH_TIE = 0.03  # of the width: how far it lies from that of the first fit
TIES = (0.015, 0.12)  # of that distance: least and most
FEWEST_FOR_DEGREE = (0, 40, 80)  # columns: from here on the lattice is bent by polynomials of degree 1, 2, 3
ROUNDS = 12
FAINTEST = 0.05  # of the median volume


@dataclass(frozen=True)
class SiteFit:
    """Columns on the sites of a lattice.

    Parameters
    ----------
    fit
        Of the columns.
    significance
        Of each, shape (n,).
    threshold
        What each needs.
    tried
        Places of all sites that were tried, shape (m, 2).
    indices
        Sites of the columns, shape (n, 2).
    tie
        Standard deviation of columns from their sites in pixels, along each axis.
    """

    fit: ColumnFit
    significance: np.ndarray
    threshold: float
    tried: np.ndarray
    indices: np.ndarray
    tie: float


def fit_sites(
    image: np.ndarray,
    lattice: ImageLattice,
    false_positives: float,
    *,
    noise: Noise | None = None,
    background: int | Background = 1,
    mask=None,
    known=None,
) -> SiteFit | None:
    """Return the columns that are significant on the sites of a lattice; None where they are few.

    All sites in the outline of the particle are fitted together. The least significant of neighbouring sites below the
    threshold is taken out until none is left, and sites beside columns are tried until none is significant. Columns are
    tied to a lattice that is bent smoothly, as tightly as columns keep to it.

    Parameters
    ----------
    image
        Shape (rows, columns).
    lattice
        Where the sites are.
    false_positives
        Expected number of columns found by chance on all sites that are empty.
    noise, background, known
        See `particlespy_ml.columns.refine.refine_columns`.
    mask
        Pixels in which columns are looked for, or None.
    """
    image = np.asarray(image, float)
    near, origin, basis = lattice.nearest, lattice.origin, lattice.basis
    allowed = np.ones(image.shape, bool) if mask is None else np.asarray(mask, bool)
    indices = _sites_in(_outline(image, near) & allowed, lattice)
    if len(indices) < FEWEST_COLUMNS:
        return None
    places = origin + indices @ basis
    tried = {tuple(index) for index in indices}
    tie, width, settings = (
        FIRST_TIE * near,
        FIRST_WIDTH * near,
        {"noise": noise, "background": background, "known": known},
    )
    settled, smooth = False, np.zeros(image.shape)
    for _ in range(ROUNDS):
        seen = image - smooth
        fit = refine_columns(seen, places, width, tie=tie, max_iterations=8, **settings)
        if "width_tie" not in settings:
            # that of all sites is not made wider by columns that are left out
            width = float(np.clip(fit.widths.mean(), 0.5 * FIRST_WIDTH * near, WIDEST * near))
            settings["width_tie"], width_error = WIDTH_TIE * width, fit.width_errors
        bent, tie = _bend(fit, places, indices, tie, near)
        found = column_significance(seen, fit)
        threshold = sites_threshold(false_positives, len(tried), (2 * tie / width) ** 2)
        kept, least = _without_faint(seen, fit, places, found, threshold, near, settings)
        if len(kept) == len(indices):
            false = false_columns(seen, fit, near, found, least)
            smooth = smooth + smooth_rest(seen, fit, false, near)
            kept = np.flatnonzero(~false)
        if len(kept) < len(indices):
            indices = indices[kept]
            indices = indices[_inside(bent(indices), allowed, width)]
            if len(indices) < FEWEST_COLUMNS:
                return None
            places = bent(indices)
            continue
        if settled:
            break
        new = _beside(indices, basis, tried)
        new = new[_inside(bent(new), allowed, width)] if len(new) else new
        tried.update(map(tuple, new))
        settled = not len(new)
        indices = np.vstack([indices, new]) if len(new) else indices
        indices = indices[_inside(bent(indices), allowed, width)]
        places = bent(indices)
    seen = image - smooth
    fit = refine_columns(seen, places, width, tie=tie, **settings)
    found = column_significance(seen, fit)
    keep = (found >= least) & (fit.volumes >= FAINTEST * typical_volume(fit.volumes))
    if keep.sum() < FEWEST_COLUMNS:
        return None
    if not keep.all():  # what is left below the threshold when the rounds are over is taken out at once
        indices, places = indices[keep], places[keep]
        fit = refine_columns(seen, places, width, tie=tie, **settings)
        found = column_significance(seen, fit)

    def refit(part, which):
        return refine_columns(part, places[which], width, tie=tie, **settings)

    left, kept, more = without_false_columns(seen, fit, near, least, refit)
    if len(kept) < FEWEST_COLUMNS:
        return None
    if len(kept) < len(places):
        found, indices = column_significance(seen - more, left), indices[kept]
    fit = with_background(left, smooth + more)
    if tie >= 0.999 * TIES[1] * near or fit.widths.mean() > WIDEST * near:
        return None
    # what ties the width was seen in the same image, so that it is known no better than from all sites
    fit = replace(fit, width_errors=np.maximum(fit.width_errors, width_error[0]))
    return SiteFit(fit, found, float(least), bent(np.array(sorted(tried))), indices, float(tie))


def _without_faint(image, fit: ColumnFit, places, found, threshold: float, near: float, settings: dict):
    """Indices of the columns that are significant when the least significant ones are taken out, and what that takes.

    Volumes and background alone are fitted meanwhile: each round costs little, and there are many.
    """
    kept, of_volumes = np.arange(len(places)), {k: v for k, v in settings.items() if k != "width_tie"}
    while True:
        # what the Gaussians miss of columns is no noise, but it is not to be taken for further columns
        least = threshold * np.sqrt(max(fit.chi2, 1))
        faint = (found < least) | (fit.volumes < FAINTEST * typical_volume(fit.volumes))
        if not faint.any():
            return kept, least
        out = faint & _lowest_of_neighbours(places[kept], np.where(faint, found, np.inf), 1.3 * near)
        stay = ~(out | (found < 0))
        kept = kept[stay]
        if len(kept) < FEWEST_COLUMNS:
            return kept, least
        fit = measure_volumes(image, fit.positions[stay], fit.widths[stay], **of_volumes)
        found = column_significance(image, fit)


def _outline(image: np.ndarray, near: float) -> np.ndarray:
    """Pixels of the particle in the middle and a little around it."""
    cut, middle = without_padding(image)
    whole = np.zeros(image.shape, bool)
    corner = np.rint((np.array(image.shape) - 1) / 2 - middle).astype(int)
    outline, _ = particle_outline(cut, 2 * near, middle)
    own = outline > 0.05 * outline.max()
    whole[corner[0] : corner[0] + cut.shape[0], corner[1] : corner[1] + cut.shape[1]] = own
    return binary_dilation(whole, iterations=int(np.ceil(0.5 * near)))


def _sites_in(mask: np.ndarray, lattice: ImageLattice) -> np.ndarray:
    """Indices of the sites in a mask."""
    places = np.argwhere(mask)
    if not len(places):
        return np.empty((0, 2), int)
    corners = np.array([(r, c) for r in (0, mask.shape[0]) for c in (0, mask.shape[1])])
    numbers = (corners - lattice.origin) @ np.linalg.inv(lattice.basis)
    low, high = np.floor(numbers.min(0)).astype(int), np.ceil(numbers.max(0)).astype(int)
    indices = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True))), -1).reshape(-1, 2)
    at = lattice.origin + indices @ lattice.basis
    return indices[_inside(at, mask, FIRST_WIDTH * lattice.nearest)]


def _inside(places: np.ndarray, mask: np.ndarray, width: float) -> np.ndarray:
    return in_sight(places, mask.shape, width) & at_pixels(mask, places)


def _beside(indices: np.ndarray, basis: np.ndarray, tried: set) -> np.ndarray:
    """Sites beside columns that were not tried."""
    steps = np.array([(1, 0), (0, 1), (1, -1), (1, 1)])
    lengths = np.linalg.norm(steps @ basis, axis=1)
    steps = steps[lengths < 1.3 * lengths.min()]
    around = (indices[:, None] + np.vstack([steps, -steps])).reshape(-1, 2)
    new = sorted({tuple(index) for index in around} - tried)
    return np.array(new, int).reshape(-1, 2)


def _lowest_of_neighbours(places: np.ndarray, values: np.ndarray, reach: float) -> np.ndarray:
    """Whether the value of each place is the lowest of those within reach."""
    lowest = values.copy()
    pairs = cKDTree(places).query_pairs(reach, output_type="ndarray")
    np.minimum.at(lowest, pairs[:, 0], values[pairs[:, 1]])
    np.minimum.at(lowest, pairs[:, 1], values[pairs[:, 0]])
    return values <= lowest


def _bend(fit: ColumnFit, places: np.ndarray, indices: np.ndarray, tie: float, near: float):
    """The lattice that is bent smoothly through the columns, as a function of indices, and their spread about it.

    What the fit says of a column without its tie is undone from the posterior. The spread is that of random effects:
    R. DerSimonian and N. Laird, Control. Clin. Trials 7, 177 (1986).
    """
    posterior = np.clip(fit.position_errors**2, 1e-12, 0.999 * tie**2)
    own = 1 / (1 / posterior - 1 / tie**2)
    seen = places + (fit.positions - places) * (1 + own / tie**2)
    degree = int(np.sum(len(places) >= np.array(FEWEST_FOR_DEGREE)))
    middle, extent = indices.mean(0), max(np.ptp(indices, axis=0).max() / 2, 1)
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]

    def design(numbers):
        u, v = ((numbers - middle) / extent).T
        return np.stack([u**i * v**j for i, j in powers], 1)

    matrix, spread = design(indices), tie
    for _ in range(10):
        weight = 1 / (own + spread**2)
        solution = np.stack(
            [
                np.linalg.lstsq(matrix * np.sqrt(weight[:, [k]]), seen[:, k] * np.sqrt(weight[:, k]), rcond=None)[0]
                for k in (0, 1)
            ],
            1,
        )
        residual = seen - matrix @ solution
        free = max(1 - len(powers) / len(places), 0.1)
        excess = np.sum(weight**2 * (residual**2 / free - own)) / np.sum(weight**2)
        spread = float(np.clip(np.sqrt(max(excess, 0)), TIES[0] * near, TIES[1] * near))
    return lambda numbers: design(numbers) @ solution, spread
