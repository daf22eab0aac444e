"""First positions of columns, and which of them are real."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from particlespy_ml.columns.complete import complete_lattice
from particlespy_ml.columns.detection import significance_threshold
from particlespy_ml.columns.guided import fit_sites
from particlespy_ml.columns.image_lattice import find_image_lattice
from particlespy_ml.columns.noise import Noise
from particlespy_ml.columns.places import (
    CLOSEST,
    FAINTEST,
    FARTHEST,
    WIDEST,
    WIDTH,
    first_positions,
    lattice_period,
    missed_columns,
    near_others,
    neighbour_distance,
    strongest_of_close,
)
from particlespy_ml.columns.refine import ColumnFit, refine_columns
from particlespy_ml.columns.significance import column_significance

LATTICE_PARAMETERS = 8  # width, background and lattice
SAME_SPACING = 0.3  # how much the lattice may differ from a spacing that is given


@dataclass(frozen=True)
class FoundColumns:
    """Columns of an image.

    Parameters
    ----------
    fit
        The fit, or None where there are no columns.
    significance
        Normal deviate of the likelihood ratio of each column, shape (n,).
    threshold
        Significance that a column needs.
    false_positives
        Expected number of false columns that it stands for.
    spacing
        Distance between neighbours in pixels.
    reason
        Why there are none although something is there; empty otherwise.
    """

    fit: ColumnFit | None
    significance: np.ndarray
    threshold: float
    false_positives: float
    spacing: float
    reason: str = ""

    def __len__(self) -> int:
        return len(self.significance)


def find_columns_in(
    image,
    pixel_size: float,
    spacing: float | None = None,
    positions=None,
    *,
    false_positives: float = 0.05,
    shared_width: bool = True,
    background: int = 1,
    noise: Noise | None = None,
    mask=None,
    rounds: int = 4,
    lattice: bool = True,
) -> FoundColumns:
    """Find the columns of an image, refine all of them together, and keep those that are significant.

    Maxima of the smoothed image are refined. What is then left of the image is searched for columns that were missed,
    columns below the threshold or too close to a stronger one are taken out, and the rest is refined again. Where the
    columns form a lattice its empty sites are tried too. Where the power spectrum shows a lattice, its sites are tried
    as well, and are kept if they fit the image better: at low doses it is known where most columns are not.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel_size
        In nm.
    spacing
        Distance between neighbouring columns in pixels; by default from the power spectrum.
    positions
        First positions in pixels, in place of the maxima; then none is added or taken out.
    false_positives
        Expected number of columns found by chance where there are none, and of those on empty sites of the lattice.
    shared_width, background, noise
        See `particlespy_ml.columns.refine.refine_columns`.
    mask
        Pixels in which columns are looked for; by default all.
    rounds
        Upper limit of rounds of adding and taking out.
    lattice
        Whether a lattice is looked for in the power spectrum.
    """
    image = np.asarray(image, dtype=float)
    if positions is not None:
        positions = np.asarray(positions, float).reshape(-1, 2)
        if not len(positions):
            return FoundColumns(None, np.empty(0), np.nan, false_positives, spacing or np.nan)
        width = None if spacing is None else WIDTH * spacing
        fit = refine_columns(image, positions, width, shared_width=shared_width, background=background, noise=noise)
        found = column_significance(image, fit)
        return FoundColumns(fit, found, np.nan, false_positives, spacing or neighbour_distance(fit.positions))
    settings = {"shared_width": shared_width, "background": background, "noise": noise, "mask": mask}
    searched = search_columns(image, pixel_size, spacing, false_positives, rounds=rounds, **settings)
    on_sites = columns_on_sites(image, pixel_size, spacing, false_positives, **settings) if lattice else None
    if on_sites is None:
        return searched
    if searched.fit is not None and not fits_better(image, on_sites.fit, searched.fit):
        return searched
    return on_sites


def columns_on_sites(
    image: np.ndarray,
    pixel_size: float,
    spacing: float | None,
    false_positives: float,
    *,
    shared_width: bool,
    background: int,
    noise: Noise | None,
    mask=None,
) -> FoundColumns | None:
    """Return the columns on the sites of the lattice of the whole image; None where it has none.

    Parameters
    ----------
    image, pixel_size, spacing, false_positives, shared_width, background, noise, mask
        See `find_columns_in`.
    """
    seen = image if mask is None else np.where(mask, image, np.median(image))
    lattice = find_image_lattice(seen, pixel_size)
    if lattice is None or (spacing is not None and abs(lattice.nearest / spacing - 1) > SAME_SPACING):
        return None
    settings = {"background": background, "noise": noise}
    sites = fit_sites(image, lattice, false_positives, mask=mask, **settings)
    if sites is None:
        return None
    fit = sites.fit
    if not shared_width:
        width = float(fit.widths.mean())
        fit = refine_columns(image, fit.positions, width, shared_width=False, tie=sites.tie, **settings)
    return FoundColumns(fit, column_significance(image, fit), sites.threshold, false_positives, lattice.nearest)


def fits_better(image: np.ndarray, tied: ColumnFit, free: ColumnFit) -> bool:
    """Whether columns tied to a lattice say more of an image than free ones, by Akaike's criterion.

    Parameters
    ----------
    image
        Shape (rows, columns).
    tied, free
        Fits of it. Of the tied one only the volumes, the width and the smooth lattice count as parameters.
    """
    region = tied.region | free.region
    squares = [(image - fit.model)[region] ** 2 for fit in (tied, free)]
    noise = min((tied, free), key=lambda fit: float(np.sum((image - fit.model)[region] ** 2))).noise
    signal = gaussian_filter(image, min(tied.widths.mean(), free.widths.mean()))
    signal = np.maximum(signal - min(signal.min(), 0.0), 0.02 * np.ptp(signal))[region]
    variance = np.maximum(noise.floor + noise.gain * signal, 1e-12 * np.ptp(image) ** 2)
    total = np.array([np.sum(square / variance) for square in squares])
    total /= max(total.min() / region.sum(), 1.0)  # what no model fits is no noise
    parameters = np.array([len(tied.volumes) + LATTICE_PARAMETERS, 3 * len(free.volumes)])
    return bool(np.diff(total + 2 * parameters)[0] > 0)


def search_columns(
    image: np.ndarray,
    pixel_size: float,
    spacing: float | None,
    false_positives: float,
    *,
    shared_width: bool,
    background: int,
    noise: Noise | None,
    mask=None,
    rounds: int = 4,
) -> FoundColumns:
    """Return the columns at maxima of the smoothed image and of what the fit leaves, on any lattice or none.

    Parameters
    ----------
    image, pixel_size, spacing, false_positives, shared_width, background, noise, mask, rounds
        See `find_columns_in`.
    """
    period = lattice_period(image, pixel_size) if spacing is None else spacing
    start = first_positions(image, period)
    if mask is not None and len(start):
        start = start[np.asarray(mask, bool)[tuple(np.rint(start).astype(int).T)]]
    settings = {"background": background, "noise": noise}
    first = {**settings, "max_iterations": 12}  # enough to judge columns by
    fit, found, threshold = None, np.empty(0), np.nan
    for number in range(rounds):
        if len(start) == 0:
            return FoundColumns(None, np.empty(0), threshold, false_positives, period)
        width = WIDTH * period if fit is None else min(float(fit.widths.mean()), WIDEST * spacing)
        fit = refine_columns(image, start, width, **first)
        spacing = neighbour_distance(fit.positions) if len(start) > 6 else period
        spacing = float(np.clip(spacing, 0.8 * period, 1.5 * period))
        threshold = significance_threshold(false_positives, fit.region.sum() / fit.widths.mean() ** 2)
        found = column_significance(image, fit)
        keep = (found > threshold) & (fit.volumes > FAINTEST * np.median(fit.volumes))
        keep &= strongest_of_close(fit.positions, fit.volumes, CLOSEST * spacing)
        keep &= np.linalg.norm(fit.positions - start, axis=1) < 0.5 * spacing
        new = missed_columns(image, fit, threshold, spacing, mask)
        if keep.all() and not len(new):
            break
        # a place that was searched and found empty is not searched again in the last round
        start = np.vstack([fit.positions[keep], new]) if number < rounds - 1 else fit.positions[keep]
    if len(start) and (len(start) != len(fit.positions) or not fit.converged or not shared_width):
        fit = refine_columns(image, start, float(fit.widths.mean()), shared_width=shared_width, **settings)
        found = column_significance(image, fit)
    completed = None
    if len(start):
        faintest = FAINTEST * float(np.median(fit.volumes))
        completed = complete_lattice(
            image, fit, column_significance, false_positives, noise, background, mask, faintest
        )
    if completed is not None:
        fit = completed
        if not shared_width:
            fit = refine_columns(image, fit.positions, float(fit.widths.mean()), shared_width=False, **settings)
        found = column_significance(image, fit)
    if fit.widths.mean() > WIDEST * spacing:
        reason = (
            f"columns {spacing:.3g} pixels apart would be {2.355 * fit.widths.mean():.3g} pixels wide: they are not "
            "resolved, or stand on something brighter that is none of the columns"
        )
        return FoundColumns(None, np.empty(0), threshold, false_positives, period, reason)
    near = near_others(fit.positions, FARTHEST * spacing)
    if len(start) == 0 or not near.any():
        return FoundColumns(None, np.empty(0), threshold, false_positives, period)
    return FoundColumns(subset(fit, near), found[near], threshold, false_positives, spacing)


def subset(fit: ColumnFit, which: np.ndarray) -> ColumnFit:
    """Return a fit with some of its columns; model and region stay."""
    names = ("positions", "volumes", "widths", "position_errors", "volume_errors", "width_errors", "background")
    return replace(fit, **{name: getattr(fit, name)[which] for name in names})
