"""Columns on the sites of a lattice that is known from the image as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.spatial import cKDTree

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.gaussians import ColumnFit, subset, typical_volume
from particlespy_ml.columns.fit.refine import as_background, measure_volumes, refine_columns
from particlespy_ml.columns.search.artefacts import false_columns, smooth_rest, with_background, without_false_columns
from particlespy_ml.columns.search.detection import sites_threshold
from particlespy_ml.columns.search.places import WIDEST, at_pixels, in_sight
from particlespy_ml.columns.search.significance import column_significance
from particlespy_ml.crystals.image_lattice import ImageLattice
from particlespy_ml.crystals.zone_axis import particle_outline, without_padding
from particlespy_ml.quality.noise import Noise

FEWEST_COLUMNS = 12
FIRST_WIDTH = 0.24  # of the distance between neighbours
FIRST_TIE = 0.08  # of the distance between neighbours: how far columns lie from their sites before it is measured
WIDTH_TIE = 0.03  # of the width: how far it lies from that of the first fit
TIES = (0.015, 0.12)  # of that distance: least and most
FEWEST_FOR_DEGREE = (0, 40, 80)  # columns: from here on the lattice is bent by polynomials of degree 1, 2, 3
EMPTY = 0.5  # of the distance between neighbours: what may be light of a column too faint to be told
ROUNDS, STEPS = 12, 8
FAINTEST = 0.05  # of the median volume
FEW = 0.05  # of the sites: where more are taken out, the others are fitted before they are judged


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
        See `particlespy_ml.columns.fit.refine.refine_columns`.
    mask
        Pixels in which columns are looked for, or None.
    """
    image = np.asarray(image, float)
    allowed = np.ones(image.shape, bool) if mask is None else np.asarray(mask, bool)
    indices = _sites_in(_outline(image, lattice.nearest) & allowed, lattice)
    if len(indices) < FEWEST_COLUMNS:
        return None
    settings = {"noise": noise, "background": background, "known": known}
    search = _Search(image, lattice, indices, allowed, false_positives, settings)
    for _ in range(ROUNDS):
        before = len(search.indices)
        search.refine()
        search.take_out()
        if len(search.indices) < FEWEST_COLUMNS:
            return None
        if len(search.indices) == before and not search.add_beside():
            break
    return search.result()


class _Search:
    """Sites of a lattice that may be columns, and what is known of them.

    Parameters
    ----------
    image
        Shape (rows, columns).
    lattice
        Where the sites are.
    indices
        Of the first sites, shape (n, 2).
    allowed
        Pixels in which columns are looked for.
    false_positives
        See `fit_sites`.
    settings
        Noise, background and known pixels of the fits.
    """

    def __init__(self, image, lattice: ImageLattice, indices, allowed, false_positives: float, settings: dict):
        self.image, self.allowed, self.false_positives = image, allowed, false_positives
        self.smooth = np.zeros(image.shape)  # what belongs to neither columns nor the background of the fit
        self.near, self.basis, self.indices = lattice.nearest, lattice.basis, indices
        self.bent = lambda numbers: lattice.origin + numbers @ lattice.basis
        self.tried = {tuple(index) for index in indices}
        self.tie, self.width, self.width_tie = FIRST_TIE * self.near, FIRST_WIDTH * self.near, None
        self.settings, known = settings, settings["known"]
        self.is_polynomial = as_background(settings["background"]).knots is None
        self.recorded = np.ones(image.shape, bool) if known is None else np.asarray(known, bool)

    def refine(self) -> None:
        """Fit columns at all sites, tied to the lattice, and bend it to them."""
        self.fit = self._fit(self.image - self.smooth, max_iterations=STEPS)
        if self.width_tie is None:
            # that of all sites is not made wider by columns that are left out
            self.width = float(np.clip(self.fit.widths.mean(), 0.5 * FIRST_WIDTH * self.near, WIDEST * self.near))
            self.width_tie, self.width_error = WIDTH_TIE * self.width, self.fit.width_errors[0]
            # splines say nothing of where they were not fitted
            self.around = self.fit.region if self.is_polynomial else None
        places = self.bent(self.indices)
        self.bent, self.tie, self.positions = _bend(self.fit, places, self.indices, self.tie, self.near)

    def _fit(self, image: np.ndarray, indices=None, **limits) -> ColumnFit:
        places = self.bent(self.indices if indices is None else indices)
        ties = {"tie": self.tie, "width_tie": self.width_tie}
        return refine_columns(image, places, self.width, **ties, **limits, **self.settings)

    def take_out(self) -> None:
        """Take out what is no significant column, and none beside the others."""
        threshold = sites_threshold(self.false_positives, len(self.tried), (2 * self.tie / self.width) ** 2)
        kept, fit = np.arange(len(self.indices)), self.fit
        while True:
            fit, found, kept = self._without_faint(fit, kept, threshold)
            if len(kept) < max((1 - FEW) * len(self.indices), FEWEST_COLUMNS):
                break
            seen = self.image - self.smooth
            false = false_columns(seen, fit, self.near, found, self.least, self.around)
            if not false.any():
                break
            self.smooth = self.smooth + smooth_rest(seen, fit, false, self.near, self.around)
            kept, fit = kept[~false], subset(fit, ~false)
            if len(kept) < FEWEST_COLUMNS:
                break
        self._keep(self.indices[kept])

    def _without_faint(self, fit: ColumnFit, kept: np.ndarray, threshold: float):
        """Take out the least significant columns: the fit of the others, their significances, and their indices.

        Volumes and background alone are fitted: each round costs little, and there are many.
        """
        seen = self.image - self.smooth
        while True:
            fit = measure_volumes(seen, self.positions[kept], self.fit.widths[kept], start=fit, **self.settings)
            found = column_significance(seen, fit)
            # what the Gaussians miss of columns is no noise, but it is not to be taken for further columns
            self.least = float(threshold * np.sqrt(max(fit.chi2, 1)))
            faint = self._is_faint(fit, found)
            out = faint & _lowest_of_neighbours(self.positions[kept], np.where(faint, found, np.inf), 1.3 * self.near)
            out |= found < 0
            if not out.any() or np.sum(~out) < FEWEST_COLUMNS:
                return fit, found, kept
            kept, fit = kept[~out], subset(fit, ~out)

    def _is_faint(self, fit: ColumnFit, found: np.ndarray) -> np.ndarray:
        return (found < self.least) | (fit.volumes < FAINTEST * typical_volume(fit.volumes))

    def add_beside(self) -> bool:
        """Add the sites beside columns that were not tried; whether there were any."""
        new = _beside(self.indices, self.basis, self.tried)
        new = new[_inside(self.bent(new), self.allowed, self.width)] if len(new) else new
        self.tried.update(map(tuple, new))
        self._keep(np.vstack([self.indices, new]))
        return len(new) > 0

    def _keep(self, indices: np.ndarray) -> None:
        """Go on with some sites; the others, where columns too faint to be told may stand, are no background.

        A background of splines is not told from elsewhere, and is fitted there too.
        """
        self.indices = indices[_inside(self.bent(indices), self.allowed, self.width)]
        if not self.is_polynomial:
            return
        empty = np.array(sorted(self.tried - set(map(tuple, self.indices))), int).reshape(-1, 2)
        left_out = _around(self.bent(empty), self.image.shape, EMPTY * self.near)
        self.settings = {**self.settings, "known": self.recorded & ~left_out}

    def result(self) -> SiteFit | None:
        """Fit the columns to the end; None where few are left or they are not resolved."""
        seen = self.image - self.smooth
        fit = self._fit(seen)
        found = column_significance(seen, fit)
        keep = ~self._is_faint(fit, found)
        if keep.sum() < FEWEST_COLUMNS:
            return None
        if not keep.all():  # what is left below the threshold when the rounds are over is taken out at once
            self._keep(self.indices[keep])
            fit = self._fit(seen)
        indices = self.indices

        def refit(image, which):
            return self._fit(image, indices[which])

        fit, kept, more = without_false_columns(seen, fit, self.near, self.least, refit, self.around)
        if len(kept) < FEWEST_COLUMNS or self.tie >= 0.999 * TIES[1] * self.near:
            return None
        if fit.widths.mean() > WIDEST * self.near:
            return None
        found = column_significance(seen - more, fit)
        fit = with_background(fit, self.smooth + more)
        # what ties the width was seen in the same image, so that it is known no better than from all sites
        region = fit.region if self.around is None else fit.region | self.around
        fit = replace(fit, width_errors=np.maximum(fit.width_errors, self.width_error), region=region)
        return SiteFit(fit, found, self.least, self.bent(np.array(sorted(self.tried))), indices[kept], float(self.tie))


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


def _around(places: np.ndarray, shape, reach: float) -> np.ndarray:
    """Pixels within reach of some places."""
    apart = np.ones(shape, bool)
    nearest = np.rint(places).astype(int)
    nearest = nearest[np.all((nearest >= 0) & (nearest < shape), axis=1)]
    apart[tuple(nearest.T)] = False
    return distance_transform_edt(apart) <= reach if len(nearest) else ~apart


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
    """The lattice that is bent smoothly through the columns, as a function of indices, their spread, and their places.

    What the fit says of a column without its tie is undone from the posterior. The spread about the lattice is that of
    random effects: R. DerSimonian and N. Laird, Control. Clin. Trials 7, 177 (1986). Places are between what the fit
    says and the lattice, as far as this spread ties them to it.
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
    on_lattice = matrix @ solution
    share = spread**2 / (spread**2 + own)
    return lambda numbers: design(numbers) @ solution, spread, on_lattice + share * (seen - on_lattice)
