"""First positions of columns, and which of them are real."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.gaussians import ColumnFit, subset, typical_volume
from particlespy_ml.columns.fit.refine import refine_columns
from particlespy_ml.columns.search.artefacts import (
    faint_columns,
    false_columns,
    smooth_rest,
    with_background,
    without_false_columns,
)
from particlespy_ml.columns.search.complete import WORTH_TRYING, complete_lattice
from particlespy_ml.columns.search.detection import significance_threshold
from particlespy_ml.columns.search.places import (
    CLOSEST,
    FAINTEST,
    FARTHEST,
    MANY,
    WIDEST,
    WIDTH,
    at_pixels,
    first_positions,
    in_image,
    lattice_periods,
    missed_columns,
    near_any,
    near_others,
    neighbour_distance,
    strongest_of_close,
)
from particlespy_ml.columns.search.significance import column_significance
from particlespy_ml.columns.search.sites import fit_sites
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.core.threads import one_blas_thread
from particlespy_ml.crystals.image_lattice import find_image_lattice
from particlespy_ml.quality.noise import Noise

LATTICE_PARAMETERS = 8  # width, background and lattice
WIDE = 0.36  # of the distance between neighbours: columns that seem so wide may stand on something smooth ...
UNEVEN = 0.1  # of the height of columns: a background that leaves so much of something smooth is none
NARROWER = 0.8  # ... and do, where they are narrower by that on a background that follows it
SAME_SITE = 0.3  # of the distance between neighbours
WITHIN_NOISE = 1.3  # mean square of what is left, over its variance
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
    known
        Pixels that were recorded, shape of the image; None where all were.
    background
        What the columns were fitted on.
    tried
        Places that were tried, and found empty but for the columns, shape (m, 2); None where all of the image was.
    """

    fit: ColumnFit | None
    significance: np.ndarray
    threshold: float
    false_positives: float
    spacing: float
    reason: str = ""
    known: np.ndarray | None = None
    background: Background = Background()
    tried: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.significance)


@one_blas_thread()
def find_columns_in(
    image,
    pixel_size: float,
    spacing: float | None = None,
    positions=None,
    *,
    false_positives: float = 0.05,
    shared_width: bool = True,
    background: int | str = "auto",
    noise: Noise | None = None,
    mask=None,
    known=None,
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
    shared_width, noise
        See `particlespy_ml.columns.fit.refine.refine_columns`.
    background
        Degree of the polynomial of the background, -1 for none, or "local" for splines that follow a support which is
        brighter than the columns and not flat. "auto" is a plane, and local where no columns are resolved on it.
    mask
        Pixels in which columns are looked for; by default all.
    known
        Pixels that were recorded; by default all but constant borders, as alignment leaves them.
    rounds
        Upper limit of rounds of adding and taking out.
    lattice
        Whether a lattice is looked for in the power spectrum.
    """
    image = np.asarray(image)
    known = known_pixels(image) if known is None else np.asarray(known, bool)
    image = image.astype(float)
    options = {"false_positives": false_positives, "shared_width": shared_width, "noise": noise}
    if known is None or known.all():
        if positions is not None:
            return _at_positions(image, positions, spacing, background, known=None, **options)
        options |= {"background": background, "rounds": rounds, "lattice": lattice, "mask": mask, "known": None}
        return _in_image(_search(image, pixel_size, spacing, **options), image.shape)
    part, corner = _recorded_part(known)
    inside = known[part]
    # filters see no edge where the record ends
    seen = image[part][tuple(distance_transform_edt(~inside, return_distances=False, return_indices=True))]
    if positions is not None:
        places = np.asarray(positions, float).reshape(-1, 2) - corner
        found = _at_positions(seen, places, spacing, background, known=inside, **options)
    else:
        mask = inside if mask is None else inside & np.asarray(mask, bool)[part]
        options |= {"background": background, "rounds": rounds, "lattice": lattice, "mask": mask, "known": inside}
        found = _in_image(_search(seen, pixel_size, spacing, **options), seen.shape)
    return _in_frame(found, known, part, corner)


def _recorded_part(known: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    """The smallest rectangle that holds all recorded pixels, and its first row and column."""
    bounds = [(np.flatnonzero(known.any(axis))[[0, -1]]) for axis in (1, 0)]
    return tuple(slice(low, high + 1) for low, high in bounds), np.array([low for low, _ in bounds])


def _in_frame(found: FoundColumns, known: np.ndarray, part, corner: np.ndarray) -> FoundColumns:
    """Columns of a part of a frame as those of the frame."""
    if found.fit is None:
        return replace(found, known=known)
    pad = [(s.start, n - s.stop) for s, n in zip(part, known.shape, strict=True)]
    fit = replace(
        found.fit,
        positions=found.fit.positions + corner,
        region=np.pad(found.fit.region, pad),
        model=np.pad(found.fit.model, pad, mode="edge"),
        smooth=None if found.fit.smooth is None else np.pad(found.fit.smooth, pad),
    )
    return replace(found, fit=fit, known=known)


def _at_positions(
    image, positions, spacing, background, *, false_positives, shared_width, noise, known
) -> FoundColumns:
    """Refine columns at positions that are given; none is added or taken out."""
    positions = np.asarray(positions, float).reshape(-1, 2)
    if not len(positions):
        return FoundColumns(None, np.empty(0), np.nan, false_positives, spacing or np.nan)
    width = None if spacing is None else WIDTH * spacing
    under = _background(1 if background == "auto" else background, spacing or neighbour_distance(positions))
    fit = refine_columns(image, positions, width, shared_width=shared_width, background=under, noise=noise, known=known)
    found = column_significance(image, fit)
    near = spacing or neighbour_distance(fit.positions)
    return FoundColumns(fit, found, np.nan, false_positives, near, background=under)


def _search(
    image, pixel_size, spacing, *, false_positives, shared_width, background, noise, mask, known, rounds, lattice
) -> FoundColumns:
    """Find columns by maxima and on the sites of a lattice, on each background until there are some."""
    fields = {"shared_width": shared_width, "noise": noise, "mask": mask, "known": known}
    periods = [spacing] if spacing is not None else lattice_periods(image, pixel_size)
    nothing = FoundColumns(None, np.empty(0), np.nan, false_positives, periods[0])
    best = nothing
    for kind in (1, "local") if background == "auto" else (background,):
        found = nothing
        for period in periods:
            settings = {**fields, "background": _background(kind, period)}
            new = columns_on_sites(image, pixel_size, spacing, false_positives, **settings) if lattice else None
            if new is None or not is_complete(image, new, mask):
                free = search_columns(image, period, false_positives, rounds=rounds, **settings)
                if new is None or (free.fit is not None and not fits_better(image, new.fit, free.fit)):
                    new = free
            new = replace(new, background=settings["background"])
            if found.fit is None or (new.fit is not None and fits_better(image, new.fit, found.fit, tied=False)):
                found = new if new.fit is not None or not found.reason else found
            if len(found) >= MANY:
                break
        if best.fit is None:
            best = found if found.fit is not None or not best.reason else best
        elif found.fit is not None and relative_width(found) < NARROWER * relative_width(best):
            best = found
        elif found.fit is not None and fits_better(image, found.fit, best.fit, tied=False):
            best = found
        if best.fit is not None and relative_width(best) < WIDE and unevenness(image, best) < UNEVEN:
            break
    return best


def unevenness(image: np.ndarray, found: FoundColumns) -> float:
    """Standard deviation of the smooth part of what columns and their background leave, over the height of columns."""
    fit = found.fit
    left = image - fit.model + (0 if fit.smooth is None else fit.smooth)
    region = fit.region.astype(float)
    smooth = gaussian_filter(left * region, found.spacing) / np.maximum(gaussian_filter(region, found.spacing), 0.1)
    height = typical_volume(fit.volumes / (2 * np.pi * fit.widths**2))
    return float(np.std(smooth[fit.region]) / max(height, 1e-300))


def relative_width(found: FoundColumns) -> float:
    """Width of columns over the distance between neighbours."""
    return float(found.fit.widths.mean() / found.spacing)


def _background(kind: int | str, spacing: float) -> Background:
    if kind == "local":
        return Background.local(spacing)
    return Background(int(kind))


def _in_image(found: FoundColumns, shape) -> FoundColumns:
    """Columns whose centre is in the image; those outside are there for their light alone."""
    if found.fit is None:
        return found
    inside = in_image(found.fit.positions, shape)
    if not inside.any():
        return replace(found, fit=None, significance=np.empty(0))
    return replace(found, fit=subset(found.fit, inside), significance=found.significance[inside])


def columns_on_sites(
    image: np.ndarray,
    pixel_size: float,
    spacing: float | None,
    false_positives: float,
    *,
    shared_width: bool,
    background: Background,
    noise: Noise | None,
    mask=None,
    known=None,
) -> FoundColumns | None:
    """Return the columns on the sites of the lattice of the whole image; None where it has none.

    Parameters
    ----------
    image, pixel_size, spacing, false_positives, shared_width, background, noise, mask, known
        See `find_columns_in`.
    """
    seen = image if mask is None else np.where(mask, image, np.median(image))
    lattice = find_image_lattice(seen, pixel_size)
    if lattice is None or (spacing is not None and abs(lattice.nearest / spacing - 1) > SAME_SPACING):
        return None
    settings = {"background": background, "noise": noise, "known": known}
    sites = fit_sites(image, lattice, false_positives, mask=mask, **settings)
    if sites is None:
        return None
    fit = sites.fit
    if not shared_width:
        width = float(fit.widths.mean())
        fit = refine_columns(image, fit.positions, width, shared_width=False, tie=sites.tie, **settings)
    found = column_significance(image, fit)
    return FoundColumns(fit, found, sites.threshold, false_positives, lattice.nearest, tried=sites.tried)


def is_complete(image: np.ndarray, found: FoundColumns, mask=None) -> bool:
    """Whether columns on the sites of a lattice are all that there are: no other is significant in what they leave."""
    if found.fit.chi2 > WITHIN_NOISE:
        return False
    beyond = missed_columns(image, found.fit, found.threshold, found.spacing, mask)
    return bool(near_any(beyond, found.tried, SAME_SITE * found.spacing).all())


def fits_better(image: np.ndarray, one: ColumnFit, other: ColumnFit, tied: bool = True) -> bool:
    """Whether a fit says more of an image than another one, by Akaike's criterion.

    Parameters
    ----------
    image
        Shape (rows, columns).
    one, other
        Fits of it.
    tied
        Whether the columns of the first are tied to a lattice; only the volumes, the width and the smooth lattice then
        count as its parameters.
    """
    region = one.region | other.region
    squares = [(image - fit.model)[region] ** 2 for fit in (one, other)]
    noise = min((one, other), key=lambda fit: float(np.sum((image - fit.model)[region] ** 2))).noise
    signal = gaussian_filter(image, min(one.widths.mean(), other.widths.mean()))
    signal = np.maximum(signal - min(signal.min(), 0.0), 0.02 * np.ptp(signal))[region]
    variance = np.maximum(noise.floor + noise.gain * signal, 1e-12 * np.ptp(image) ** 2)
    total = np.array([np.sum(square / variance) for square in squares])
    total /= max(total.min() / region.sum(), 1.0)  # what no model fits is no noise
    own = len(one.volumes) + LATTICE_PARAMETERS if tied else 3 * len(one.volumes)
    parameters = np.array([own, 3 * len(other.volumes)])
    return bool(np.diff(total + 2 * parameters)[0] > 0)


def search_columns(
    image: np.ndarray,
    period: float,
    false_positives: float,
    *,
    shared_width: bool,
    background: Background,
    noise: Noise | None,
    mask=None,
    known=None,
    rounds: int = 4,
) -> FoundColumns:
    """Return the columns at maxima of the smoothed image and of what the fit leaves, on any lattice or none.

    Parameters
    ----------
    image
        Shape (rows, columns).
    period
        Distance between neighbours in pixels, as far as it is known.
    false_positives, shared_width, background, noise, mask, known, rounds
        See `find_columns_in`.
    """
    spacing = period
    start = first_positions(image, period)
    if mask is not None and len(start):
        start = start[at_pixels(np.asarray(mask, bool), start)]
    settings = {"background": background, "noise": noise, "known": known}
    first = {**settings, "max_iterations": 8}  # enough to judge columns by
    refused, smooth = np.empty((0, 2)), np.zeros(image.shape)
    fit, found, threshold = None, np.empty(0), np.nan
    for number in range(rounds):
        if len(start) == 0:
            return FoundColumns(None, np.empty(0), threshold, false_positives, period)
        width = WIDTH * period if fit is None else min(float(fit.widths.mean()), WIDEST * spacing)
        seen = image - smooth
        fit = refine_columns(seen, start, width, **first)
        bright = ~faint_columns(fit.positions, fit.volumes, period)  # what may lie between columns does not count
        spacing = neighbour_distance(fit.positions[bright]) if bright.sum() > 6 else period
        spacing = float(np.clip(spacing, 0.8 * period, 1.5 * period))
        threshold = significance_threshold(false_positives, fit.region.sum() / fit.widths.mean() ** 2)
        found = column_significance(seen, fit)
        keep = (found > threshold) & (fit.volumes > FAINTEST * np.median(fit.volumes))
        keep &= strongest_of_close(fit.positions, fit.volumes, CLOSEST * spacing)
        keep &= np.linalg.norm(fit.positions - start, axis=1) < 0.5 * spacing
        false = keep & false_columns(seen, fit, spacing, found, threshold)
        refused = np.vstack([refused, fit.positions[false]])
        smooth = smooth + smooth_rest(seen, fit, false, spacing)
        keep &= ~false
        new = missed_columns(seen, fit, threshold, spacing, mask)
        new = new[~near_any(new, refused, CLOSEST * spacing)]
        if keep.all() and not len(new):
            break
        # a place that was searched and found empty is not searched again in the last round
        start = np.vstack([fit.positions[keep], new]) if number < rounds - 1 else fit.positions[keep]
    seen = image - smooth
    if len(start) and (len(start) != len(fit.positions) or not fit.converged or not shared_width):
        fit = refine_columns(seen, start, float(fit.widths.mean()), shared_width=shared_width, **settings)
        found = column_significance(seen, fit)
    completed = None
    if len(start):
        faintest = FAINTEST * float(np.median(fit.volumes))
        completed = complete_lattice(
            seen, fit, column_significance, false_positives, mask=mask, faintest=faintest, **settings
        )
    if completed is not None:
        fit = completed
        if not shared_width:
            fit = refine_columns(seen, fit.positions, float(fit.widths.mean()), shared_width=False, **settings)
        found = column_significance(seen, fit)
    fit, found, more = _only_peaks(seen, fit, found, spacing, threshold, shared_width, settings)
    fit = with_background(fit, smooth + more)
    if fit.widths.mean() > WIDEST * spacing:
        reason = (
            f"columns {spacing:.3g} pixels apart would be {2.355 * fit.widths.mean():.3g} pixels wide: they are not "
            "resolved, or stand on something brighter that is none of the columns"
        )
        return FoundColumns(None, np.empty(0), threshold, false_positives, period, reason)
    near = near_others(fit.positions, FARTHEST * spacing)
    if len(start) == 0 or not len(near) or not near.any():
        return FoundColumns(None, np.empty(0), threshold, false_positives, period)
    return FoundColumns(subset(fit, near), found[near], threshold, false_positives, spacing)


def _only_peaks(
    image, fit: ColumnFit, found: np.ndarray, spacing: float, threshold: float, shared_width: bool, settings: dict
):
    """Fit and significances without the columns that are no peaks of their own, and the light these stood for."""
    places, width = fit.positions, float(fit.widths.mean())

    def refit(part, which):
        return refine_columns(part, places[which], width, shared_width=shared_width, **settings)

    left, kept, smooth = without_false_columns(image, fit, spacing, WORTH_TRYING * threshold, refit)
    if left is None or len(kept) == len(places):
        return subset(fit, kept), found[kept], np.zeros(image.shape)
    return left, column_significance(image - smooth, left), smooth
