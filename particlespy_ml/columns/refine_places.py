"""Places of columns by the profiles of single columns, which are fitted together.

In HRTEM a column's wave spreads over its neighbours and interferes with theirs, so that the maxima of the image lie
beside the columns, most at surfaces and where heights change. Where the columns channel without much exchange, the wave
behind them is that of vacuum and what each adds to it alone; the lens is linear in waves, and so is what each adds in
the image plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_matrix

from particlespy_ml.columns.fit.equations import factorised
from particlespy_ml.columns.fit.errors import diagonal_matrix, standard_errors
from particlespy_ml.columns.fit.profiles import FAINT, ColumnProfiles, ProfileSplines, columns_in_reach
from particlespy_ml.core.threads import one_blas_thread
from particlespy_ml.quality.noise import Noise, estimate_noise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

AMPLITUDE_TIE = 0.5  # how far an amplitude is from one: heights and scattering are known so well
SMALLEST = 0.02  # of the typical signal: less counts as so much where variances follow the signal
COUPLED = 0.6  # of the reach of two columns: pairs farther apart leave the steps as they are
SMALL_STEP = 1e-4  # pixels
SMALL_GAIN = 1e-3  # of the sum of squares over variances


@dataclass(frozen=True)
class PlaceFit:
    """Columns whose profiles were fitted to an image.

    Parameters
    ----------
    positions, position_errors
        Rows and columns in pixels, and standard errors by the Fisher information, shape (n, 2).
    amplitudes
        What each profile is multiplied with, complex for waves, shape (n,). Far from one the height is wrong, or the
        profile does not belong to the image.
    level
        Intensity of the empty beam (waves), or of the background (intensities).
    model
        Fitted image.
    region
        Pixels that were fitted, shape of the image.
    noise
        That the errors assume.
    chi2
        Mean square of the residual over its expected variance.
    iterations, converged
        Steps taken, and whether the last was small.
    """

    positions: np.ndarray
    position_errors: np.ndarray
    amplitudes: np.ndarray
    level: float
    model: np.ndarray
    region: np.ndarray
    noise: Noise
    chi2: float
    iterations: int
    converged: bool


@one_blas_thread()
def refine_places(
    image: ArrayLike,
    positions: ArrayLike,
    heights: ArrayLike,
    profiles: ColumnProfiles,
    pixel_size: float,
    *,
    noise: Noise | None = None,
    known: np.ndarray | None = None,
    tie: float | None = None,
    max_iterations: int = 30,
) -> PlaceFit:
    """Refine places of columns with the profile of a single column of each height, all columns together.

    The model is ``level * abs(1 + sum(amplitude * profile)) ** 2`` for waves and ``level + sum(amplitude * profile)``
    for intensities. Places, amplitudes and level are fitted; that amplitudes are one within `AMPLITUDE_TIE` is weighed
    against the image.

    Parameters
    ----------
    image
        Shape (rows, columns), proportional to electrons where profiles are waves: with no dark level.
    positions
        First places, rows and columns in pixels, shape (n, 2), within half of an Å of the columns.
    heights
        Number of atoms of each, shape (n,); the profile of the nearest height is taken.
    profiles
        Of single columns, such as `particlespy_ml.simulation.waves.single_columns.hrtem_profiles` returns them.
    pixel_size
        Of the image, in the unit of the profiles' step.
    noise
        Of the pixels; by default it is estimated from the residual.
    known
        Pixels that were recorded; by default all.
    tie
        Standard deviation in pixels of columns from their first places, which the fit weighs against the image; by
        default a quarter of the median distance between neighbours.
    max_iterations
        Upper limit of steps.

    Returns
    -------
    PlaceFit

    Raises
    ------
    ValueError
        If the image is not finite, there are no columns, they lie outside of the image, or a column has no height.

    References
    ----------
    J. Madsen et al., Adv. Struct. Chem. Imaging 3, 14 (2017), for how far maxima of images are from columns; D. Van
    Dyck and M. Op de Beeck, Ultramicroscopy 64, 99 (1996), for the wave behind columns.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns import ColumnProfiles, gaussian_columns, refine_places
    >>> profile = gaussian_columns((65, 65), [[32, 32]], 1.0, 4.0)
    >>> image = gaussian_columns((50, 50), [[20.3, 20.1], [24.6, 25.2]], [50.0, 80.0], 2.0, background=1.0)
    >>> start = [[20, 20], [25, 25]]
    >>> fit = refine_places(image, start, [1, 1], ColumnProfiles(200 * profile[None], [1], 0.5), 1.0)
    >>> fit.positions.round(2).tolist()
    [[20.3, 20.1], [24.6, 25.2]]
    """
    image = np.asarray(image, float)
    start = np.array(positions, float).reshape(-1, 2)
    heights = np.asarray(heights, float)
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"Expected a two-dimensional image of finite numbers, not one of the shape {image.shape}.")
    if not len(start):
        raise ValueError("There are no columns to refine: expected positions of one or more, shape (n, 2).")
    if heights.shape != (len(start),):
        raise ValueError(f"heights of shape {heights.shape}; expected one for each of {len(start)} columns.")
    if not np.isfinite(start).all() or (start < -0.5).any() or (start > np.array(image.shape) - 0.5).any():
        raise ValueError("Some positions lie outside of the image; expected rows and columns in pixels.")
    if not pixel_size > 0:
        raise ValueError(f"pixel_size={pixel_size}; expected a length above zero.")
    return _Problem(image, start, profiles, profiles.numbers(heights), pixel_size, known, tie).solve(
        noise, max_iterations
    )


class _Problem:
    """Image and parameters of one fit, Gauss-Newton steps with Levenberg's damping."""

    def __init__(self, image, start, profiles: ColumnProfiles, which, pixel_size: float, known, tie):
        self.start, self.positions, self.which = start, start.copy(), which
        self.splines, self.wave = ProfileSplines(profiles, pixel_size), profiles.is_wave
        self.half = max(2, int(np.ceil(profiles.reach(FAINT) / pixel_size)))
        self.tie = 0.25 * _spacing(start, self.half) if tie is None else float(tie)
        self.amplitudes = np.ones(len(start), complex if self.wave else float)
        pad = self.half + 2
        self.pad, self.image = pad, np.pad(image, pad)
        self._place_windows()
        inside = np.zeros(self.image.size, bool)
        inside[self.windows] = True
        recorded = np.ones(image.shape, bool) if known is None else np.asarray(known, bool)
        self.region = inside.reshape(self.image.shape) & np.pad(recorded, pad)
        if not self.region.any():
            raise ValueError("No pixel near the columns was recorded; expected some in known=.")
        pixels = self.image[self.region]
        self.level = float(np.median(pixels) if self.wave else np.quantile(pixels, 0.05))
        self.flat = max(float(np.var(pixels)), 1e-300)
        self._read()
        if not self.wave:
            self._fit_amplitudes()

    def _place_windows(self) -> None:
        """Flat numbers of the pixels around each column, shape (n, m, m), which stay where they are."""
        size = np.arange(-self.half, self.half + 1)
        self.origins = np.rint(self.start).astype(int)
        across = self.image.shape[1]
        first = (self.origins[:, 0] + self.pad) * across + self.origins[:, 1] + self.pad
        self.windows = first[:, None, None] + size[:, None] * across + size

    def _read(self) -> None:
        """Profiles and slopes at the present places, and the wave or the intensity that they add up to."""
        size = np.arange(-self.half, self.half + 1)
        rows, columns = ((self.origins - self.positions)[:, axis, None] + size for axis in (0, 1))
        self.values = self.splines.read(self.which, rows, columns)
        added = self.amplitudes[:, None, None] * self.values[0]
        total = np.zeros(self.image.size, added.dtype)
        for part in ("real", "imag") if self.wave else ("real",):
            weights = getattr(added, part).ravel()
            sums = np.bincount(self.windows.ravel(), weights, minlength=self.image.size)
            total += sums if part == "real" else 1j * sums
        total = total.reshape(self.image.shape)
        self.total = 1 + total if self.wave else total

    def _model(self) -> np.ndarray:
        return self.level * np.abs(self.total) ** 2 if self.wave else self.level + self.total

    def _slopes(self) -> np.ndarray:
        """Derivatives by row, column and amplitude (real and imaginary part) of each column, shape (n, q, m * m)."""
        count = len(self.positions)
        value, *slopes = self.values
        moved = [-self.amplitudes[:, None, None] * one for one in slopes]
        if not self.wave:
            return np.stack([*moved, value], 1).reshape(count, 3, -1)
        around = 2 * self.level * np.conj(self.total).ravel()[self.windows]
        found = [(around * one).real for one in (*moved, value, 1j * value)]
        return np.stack(found, 1).reshape(count, 4, -1)

    def _fit_amplitudes(self) -> None:
        """First amplitudes of intensities: one for all, and the background, by least squares."""
        inside = self.region.ravel()
        design = np.column_stack([self.total.ravel()[inside], np.ones(inside.sum())])
        (scale, self.level), *_ = np.linalg.lstsq(design, self.image.ravel()[inside], rcond=None)
        self.amplitudes[:] = self.typical = scale if scale > 0 else 1.0
        self._read()

    def _weight(self, noise: Noise, model: np.ndarray) -> np.ndarray:
        smallest = SMALLEST * float(np.median(np.abs(model[self.region])))
        variance = np.maximum(noise.variance(model, smallest), 1e-10 * self.flat)
        return self.region / variance

    def _prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Diagonal and pull of what is known before, shape (n, q) each."""
        count = len(self.positions)
        if self.wave:
            away = np.column_stack([1 - self.amplitudes.real, -self.amplitudes.imag])
            tie = AMPLITUDE_TIE
        else:
            away, tie = (self.typical - self.amplitudes)[:, None], 2 * AMPLITUDE_TIE * abs(self.typical)
        away = np.hstack([self.start - self.positions, away])
        diagonal = np.hstack([np.full((count, 2), self.tie**-2), np.full((count, away.shape[1] - 2), tie**-2)])
        return diagonal, diagonal * away

    def _cost(self, weight, model) -> float:
        diagonal, pull = self._prior()
        return float((weight * (self.image - model) ** 2).sum() + (pull**2 / diagonal).sum())

    def _equations(self, weight: np.ndarray, slopes: np.ndarray):
        """Sparse local part, border and corner of the normal matrix."""
        count, q, _ = slopes.shape
        edge = 2 * self.half + 1
        weighted = slopes * weight.ravel()[self.windows].reshape(count, 1, -1)
        pairs = columns_in_reach(self.origins, COUPLED * 2 * self.half)
        blocks = np.empty((len(pairs), q, q))
        own = slice(0, count)
        blocks[own] = weighted @ slopes.transpose(0, 2, 1)
        maps, others = weighted.reshape(count, q, edge, edge), slopes.reshape(count, q, edge, edge)
        for number, (i, j) in enumerate(pairs[count:], count):
            (a, b), (c, d) = (_shared(shift, edge) for shift in self.origins[j] - self.origins[i])
            first, second = maps[i][:, a, c].reshape(q, -1), others[j][:, b, d].reshape(q, -1)
            blocks[number] = first @ second.T
        each = np.arange(q)
        rows = pairs[:, 0, None, None] * q + each[:, None] + 0 * each
        columns = pairs[:, 1, None, None] * q + 0 * each[:, None] + each
        upper = slice(count, None)
        index = [
            np.concatenate([rows.ravel(), columns[upper].ravel()]),
            np.concatenate([columns.ravel(), rows[upper].ravel()]),
        ]
        data = np.concatenate([blocks.ravel(), blocks[upper].ravel()])
        local = csc_matrix((data, tuple(index)), shape=(count * q, count * q))
        shared = np.abs(self.total) ** 2 if self.wave else np.ones(self.image.shape)
        border = (weighted * shared.ravel()[self.windows].reshape(count, 1, -1)).sum(2).reshape(-1, 1)
        return local, border, np.array([[(weight * shared**2).sum()]]), shared

    def solve(self, noise: Noise | None, max_iterations: int) -> PlaceFit:
        """Run the steps."""
        model = self._model()
        weight = self.region / self.flat
        found, damping, converged, iteration = noise, 1e-3, False, 0
        cost = np.inf
        for iteration in range(1, max_iterations + 1):
            if iteration in (1, 2, 3, 5, 8, 12, 18):
                found = noise if noise is not None else self._estimate(model)
                weight = self._weight(found, model)
            cost = self._cost(weight, model)
            moved, gained, model, damping = self._step(weight, model, cost, damping)
            if iteration > 3 and (moved < SMALL_STEP or gained < SMALL_GAIN):
                converged = True
                break
            if damping > 1e8:
                break
        found = noise if noise is not None else self._estimate(model)
        return self._result(found, model, iteration, converged)

    def _step(self, weight, model, cost: float, damping: float):
        """One step that lowers the cost, of several dampings; how far it moved, what it gained, model and damping."""
        slopes = self._slopes()
        local, border, corner, shared = self._equations(weight, slopes)
        residual = weight * (self.image - model)
        prior, pull = self._prior()
        right = (slopes * residual.ravel()[self.windows].reshape(len(slopes), 1, -1)).sum(2) + pull
        right_level = float((residual * shared).sum())
        before = self.positions, self.amplitudes, self.level
        diagonal = local.diagonal()
        while damping <= 1e8:
            factor = factorised(local + diagonal_matrix(prior.ravel() + damping * diagonal))
            inner = factor.solve(border)
            level = (right_level - float(inner[:, 0] @ right.ravel())) / float(
                corner[0, 0] - border[:, 0] @ inner[:, 0]
            )
            step = factor.solve(right.ravel() - border[:, 0] * level).reshape(right.shape)
            self._move(before, step, level)
            model = self._model()
            gained = cost - self._cost(weight, model)
            if gained >= -1e-9 * cost:
                return float(np.abs(self.positions - before[0]).max()), gained, model, max(damping / 10, 1e-9)
            damping = max(damping * 20, 1e-4)
        self._move(before, np.zeros_like(right), 0.0)
        return 0.0, 0.0, self._model(), damping

    def _move(self, before, step: np.ndarray, level: float) -> None:
        positions, amplitudes, first = before
        self.positions = positions + np.clip(step[:, :2], -self.tie, self.tie)
        # windows stay, so that places do not leave them
        self.positions = np.clip(self.positions, self.start - 3 * self.tie, self.start + 3 * self.tie)
        change = step[:, 2] + 1j * step[:, 3] if self.wave else step[:, 2]
        self.amplitudes, self.level = amplitudes + change, first + level
        self._read()

    def _estimate(self, model: np.ndarray) -> Noise:
        return estimate_noise((self.image - model)[self.region], model[self.region])

    def _result(self, noise: Noise, model: np.ndarray, iterations: int, converged: bool) -> PlaceFit:
        weight = self._weight(noise, model)
        slopes = self._slopes()
        local, border, corner, _ = self._equations(weight, slopes)
        local = local + diagonal_matrix(self._prior()[0].ravel())
        errors, _ = standard_errors(local, border, corner, self.positions, self.half / 3, slopes.shape[1])
        cut = slice(self.pad, -self.pad)
        return PlaceFit(
            positions=self.positions,
            position_errors=errors[:, :2],
            amplitudes=self.amplitudes,
            level=float(self.level),
            model=model[cut, cut],
            region=self.region[cut, cut],
            noise=noise,
            chi2=float((weight * (self.image - model) ** 2)[self.region].mean()),
            iterations=iterations,
            converged=converged,
        )


def _shared(shift: int, edge: int) -> tuple[slice, slice]:
    """Part of a window that another, further on by a shift, has too, and the same part of the other."""
    if shift >= 0:
        return slice(shift, edge), slice(0, edge - shift)
    return slice(0, edge + shift), slice(-shift, edge)


def _spacing(positions: np.ndarray, half: int) -> float:
    """Median distance between neighbours; half a window where there is one column."""
    if len(positions) < 2:
        return float(half)
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(positions).query(positions, 2)[0][:, 1]))
