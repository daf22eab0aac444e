"""Numbers of atoms and places of the columns of a series, whose lens is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft
from scipy.spatial import cKDTree

from particlespy_ml.simulation.recording.optics import transfer_function
from particlespy_ml.simulation.series_fit.model import SeriesModel
from particlespy_ml.simulation.waves.tilted_columns import sampled

SPAN = 3  # atoms by which a height may be off
_REACH = 3.2  # Å around a column in which another height of it shows
_PLACE_REACH = 2.2  # Å around a column by which it is placed
_ALONE = 4.0  # Å, nearer columns do not change their heights at once
_KNOWN_HEIGHT = 1.5  # atoms, how far a step of the lens may count on another number of atoms
_KNOWN = 0.1  # Å, standard deviation of places along each axis before
_LARGEST = 0.06  # Å, step of a place
_DELTA = 0.03  # Å, for derivatives by places


class _Seen:
    """What one image shows of every column: residual and wave around it, and profiles behind the lens."""

    def __init__(self, model: SeriesModel, number: int, reach: float):
        self.model, self.number = model, number
        profiles, turn = model.columns.at(model.lens.tilt)
        self.turn, lens = turn, model.lens.optics(number)
        # the profiles lean along x: the lens is turned instead
        turned = replace(
            lens,
            deflection=0.0,
            astigmatism_angle=lens.astigmatism_angle - turn,
            coma_angle=lens.coma_angle - turn,
            threefold_angle=lens.threefold_angle - turn,
        )
        pixels = profiles.shape[-1]
        transfer = transfer_function(turned, pixels, pixels * model.columns.step)
        k2 = fft.fftfreq(pixels, model.columns.step)[:, None] ** 2 + fft.fftfreq(pixels, model.columns.step) ** 2
        transfer = transfer * np.exp(-2 * np.pi**2 * model.lens.motion * k2).astype(np.float32)
        spectra = fft.fft2(fft.ifftshift(profiles, (-2, -1))) * transfer
        self.profiles = fft.fftshift(fft.ifft2(spectra), (-2, -1)).astype(np.complex64)
        rows, columns, self.dy, self.dx = model.windows(reach)
        shift = model.lens.shift(number)
        self.dy, self.dx = self.dy - shift[1], self.dx - shift[0]
        expected, wave = model.image(number, model.lens, model.spectrum)
        self.level = model.level(number, expected)
        left = model.whitened(model.images[number] - self.level * expected, number)
        clipped = [np.clip(one, 0, n - 1) for one, n in zip((rows, columns), model.shape, strict=True)]
        self.seen = (rows == clipped[0])[:, :, None] & (columns == clipped[1])[:, None, :]
        at = clipped[0][:, :, None], clipped[1][:, None, :]
        self.at, self.wave, self.left = at, wave[at], left[at]
        size = fft.next_fast_len(rows.shape[1] + 8)
        frequency = np.hypot(fft.fftfreq(size, model.pixel)[:, None], fft.rfftfreq(size, model.pixel))
        power = np.interp(frequency, model.rings, model.noise[number])
        self.size, self.filter = size, (model.blur(number, model.lens, frequency) / np.sqrt(power)).astype(np.float32)

    def read(self, which: np.ndarray, own: np.ndarray, off: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        """Profiles of numbers *which* at the columns *own*, moved by x and y in Å."""
        return sampled(
            self.profiles, which, self.dy[own] - off[1], self.dx[own] - off[0], self.model.columns.step, self.turn
        )

    def recorded(self, change: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Whitened change of the image by a change of its intensity around the columns *own*."""
        width = change.shape[-1]
        shape = (self.size, self.size)
        change = fft.rfft2(self.level * change * self.seen[own], s=shape) * self.filter
        return fft.irfft2(change, s=shape)[:, :width, :width]


def height_costs(model: SeriesModel) -> np.ndarray:
    """Return how the sum of squares changes where one column has another height, shape (n, highest).

    Heights that are off by more than `SPAN` have an infinite one.
    """
    highest = model.columns.highest
    allowed = np.abs(np.arange(1, highest + 1) - model.heights[:, None]) <= SPAN
    own, which = np.nonzero(allowed)
    costs = np.where(allowed, 0.0, np.inf)
    everyone = np.arange(len(model.heights))
    for number in range(len(model.images)):
        seen = _Seen(model, number, _REACH)
        now = model.of_parts(lambda which, seen=seen: seen.read(which, everyone))
        added = seen.read(model.before_first[own] + which + 1, own) - now[own]
        change = seen.recorded(2 * (seen.wave[own].conj() * added).real + np.abs(added) ** 2, own)
        square = (change**2).sum((1, 2)) - 2 * (change * seen.left[own]).sum((1, 2))
        np.add.at(costs, (own, which), square / model.variance[number])
    return costs


def change_heights(model: SeriesModel, worth: float, share: float = 0.0) -> int:
    """Give columns the height that fits best, where that is worth a decrease of the sum of squares; returns how many.

    Of columns that are near each other, the one that gains most changes, and none that gains less than a *share* of
    what the best change gains: others may be wrong because of it.
    """
    costs = height_costs(model)
    best = costs.argmin(1)
    gain = -costs.min(1)
    wanted = (best + 1 != model.heights) & (gain > max(worth, share * gain.max()))
    tree, changed = cKDTree(model.places), 0
    for column in np.flatnonzero(wanted):
        near = [one for one in tree.query_ball_point(model.places[column], _ALONE) if wanted[one]]
        if gain[column] >= gain[near].max():
            model.heights[column] = best[column] + 1
            model.parts[column] = 0.0
            changed += 1
    model.rebuild()
    return changed


@dataclass(frozen=True)
class ColumnSlopes:
    """How the residuals of every image change with the places, and with the numbers of atoms, of its columns.

    Parameters
    ----------
    slopes
        Of each image, derivatives of the whitened expected image around every column by x, y, and the number of atoms,
        over the standard deviation, shape (n, 2 or 3, w, w).
    at
        Of each image, rows and columns of these pixels.
    normal
        Inverse covariance of these numbers of each column, shape (n, 2 or 3, 2 or 3).
    """

    slopes: tuple[np.ndarray, ...]
    at: tuple[tuple[np.ndarray, np.ndarray], ...]
    normal: np.ndarray

    def projected(self, images: np.ndarray) -> np.ndarray:
        """Return products of slopes and images, one or many: shapes (..., images, rows, columns), (..., n, 2 or 3)."""
        total = 0
        for number, (slopes, at) in enumerate(zip(self.slopes, self.at, strict=True)):
            total = total + np.einsum("naij,...nij->...na", slopes, images[..., number, :, :][..., at[0], at[1]])
        return total


def column_slopes(model: SeriesModel, by_height: bool = False) -> ColumnSlopes:
    """Return how residuals change with places, and with numbers of atoms if asked for, each column alone."""
    everyone = np.arange(len(model.heights))
    known = [_KNOWN, _KNOWN, _KNOWN_HEIGHT] if by_height else [_KNOWN, _KNOWN]
    normal = np.tile(np.diag(1 / np.square(known)), (len(everyone), 1, 1))
    found, places = [], []
    for number in range(len(model.images)):
        seen = _Seen(model, number, _PLACE_REACH)

        def read(off, seen=seen):
            return model.of_parts(lambda which: seen.read(which, everyone, off))

        changes = [(read((x, y)) - read((-x, -y))) / (2 * _DELTA) for x, y in ((_DELTA, 0.0), (0.0, _DELTA))]
        if by_height:
            more, fewer = (np.clip(model.heights + d, 1, model.columns.highest) for d in (1, -1))
            difference = seen.read(model.before_first + more, everyone) - seen.read(
                model.before_first + fewer, everyone
            )
            changes.append(difference / (more - fewer)[:, None, None])
        own = np.stack([seen.recorded(2 * (seen.wave.conj() * one).real, everyone) for one in changes], 1)
        own *= (seen.seen & model.region[seen.at])[:, None] / np.sqrt(model.variance[number])
        found.append(own)
        places.append(seen.at)
        normal += np.einsum("naij,nbij->nab", own, own)
    return ColumnSlopes(tuple(found), tuple(places), normal)


def step_columns(model: SeriesModel, step: np.ndarray) -> None:
    """Move columns, and change their numbers of atoms by less than a half, by a step of shape (n, 2 or 3)."""
    length = np.linalg.norm(step[:, :2], axis=1, keepdims=True)
    model.places = model.places + step[:, :2] * np.minimum(1, _LARGEST / np.maximum(length, 1e-9))
    if step.shape[1] > 2:
        amount = np.clip(model.heights + model.parts + np.clip(step[:, 2], -0.7, 0.7), 1, model.columns.highest)
        model.heights = np.rint(amount).astype(int)
        model.parts = amount - model.heights


def place_errors(model: SeriesModel) -> np.ndarray:
    """Standard errors of the places along x and y in Å, the lens known, shape (n, 2)."""
    return np.sqrt(np.diagonal(np.linalg.inv(column_slopes(model).normal), axis1=1, axis2=2))


def known_of_columns(model: SeriesModel, count: int) -> tuple[float, np.ndarray]:
    """Sum of squares of places from the first ones over what is known of them, and half its slope, shape (n, count)."""
    away = (model.places - model.first) / _KNOWN
    slope = np.zeros((len(away), count))
    slope[:, :2] = away / _KNOWN
    return float(np.sum(away**2)), slope
