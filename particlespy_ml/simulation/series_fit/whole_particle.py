"""Images of all columns of a particle together, by the multislice algorithm, beside those of a series."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.series_fit.model import SeriesModel
from particlespy_ml.simulation.waves.level_columns import LevelColumns, level_parity

WAVE_PIXEL = 0.17  # Å, largest pixel of the wave
LIBRARY_MOTION = 0.0064  # Å², of the library, which the lens counts from
NUMBERS = 7  # of a column: x, y, number of atoms, middle, motion beside that of all, and lean along x and y beside tilt
_UPRIGHT = 5  # of these, the first, where columns do not lean
# Å and Å, atoms, levels, Å², Å a level: what is known of these beforehand
_PLACED, _MIDDLE = 0.3, 0.7
_MOVED, _MOVED_TOGETHER = 0.0045, 3e-4  # the first for one atom, of n over the root of n; the second is of the mean
_DISPLACED = 0.1  # Å, root mean square of atoms along each axis, which makes columns lean
_NOT = 1e-4  # Å, the same where they do not lean
_STEPS = (0.05, 0.05, 0.3, 0.6, 1e-3, 0.008, 0.008)  # for derivatives
_LARGEST = (0.15, 0.15, 1.5, 1.0, 4e-3, 0.06, 0.06)  # of one step
_REACH = 4.5  # Å about a column in which it changes images
_ALONE = 9.0  # Å, columns farther from each other are changed at once


@dataclass(frozen=True)
class ParticleColumns:
    """Columns of a particle, numbers that can be fitted.

    Parameters
    ----------
    places
        x and y in Å, shape (n, 2).
    heights
        Numbers of atoms, not whole ones, shape (n,).
    middles
        Of the columns along the beam in levels, shape (n,).
    motions
        Mean square of the displacements of a column's atoms less that of all in Å², shape (n,).
    leans
        Along x and y in Å from one level to the next, beside the tilt of all, shape (n, 2).
    """

    places: np.ndarray
    heights: np.ndarray
    middles: np.ndarray
    motions: np.ndarray
    leans: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """Lower and upper ends, shape (n, 2)."""
        return np.column_stack([self.middles - self.heights / 2, self.middles + self.heights / 2])

    def moved(self, step: np.ndarray, least_motion: float = -np.inf) -> ParticleColumns:
        """Return columns after a step, shape (n, 7), of which no number is larger than it may be."""
        step = np.clip(step, -np.array(_LARGEST), _LARGEST)
        return ParticleColumns(
            self.places + step[:, :2],
            np.clip(self.heights + step[:, 2], 0.3, 20),
            np.clip(self.middles + step[:, 3], -4, 4),
            np.maximum(self.motions + step[:, 4], least_motion),
            self.leans + step[:, _UPRIGHT:],
        )


class ParticleModel(SeriesModel):
    """A series beside the images of columns whose atoms lie at levels, every second column half a level higher.

    Parameters
    ----------
    start
        The series, columns that were found and the lens, of columns that are alone.
    heights, doubt
        Numbers of atoms to begin with, and how far they may be off, shape (n,).
    symbol, nearest
        Chemical symbol, and distance of nearest columns in Å.
    leaning
        Whether columns lean beside the tilt, and atoms may scatter more or less strongly.
    """

    slices = None  # until the field is known

    def __init__(
        self,
        start: SeriesModel,
        heights: np.ndarray,
        doubt: np.ndarray,
        symbol: str,
        nearest: float,
        leaning: bool = True,
    ):
        self.leaning = leaning
        super().__init__(start.images, start.pixel, start.first, start.heights, start.columns, start.lens)
        self.known_heights, self.doubt = np.maximum(np.asarray(heights, float), 0.5), np.asarray(doubt, float)
        count = len(self.known_heights)
        self.whole = ParticleColumns(
            start.places.copy(), self.known_heights, *np.zeros((2, count)), np.zeros((count, 2))
        )
        self.parity = level_parity(start.places, nearest)
        shape = tuple(fft.next_fast_len(2 * int(np.ceil(edge / WAVE_PIXEL / 2))) for edge in self.edges)
        self.slices = LevelColumns(symbol, self.columns.spacing, self.columns.energy, shape, self.edges)
        self.noise, self.variance, self.camera = start.noise.copy(), start.variance.copy(), start.camera
        self._moves_like = _MOVED / np.sqrt(np.maximum(self.known_heights, 1))
        # the standard error of the slope of a straight line through atoms that are displaced independently
        number = np.maximum(self.known_heights, 2)
        self._leans_like = (_DISPLACED if leaning else _NOT) / np.sqrt(number * (number**2 - 1) / 12)
        self.rebuild()

    def wave_spectrum(self, tilt: np.ndarray | None = None) -> np.ndarray:
        """Fourier transform of the wave behind all columns."""
        if self.slices is None:
            return super().wave_spectrum(tilt)
        return self.spectrum_of(self.whole, self.lens if tilt is None else replace(self.lens, tilt=np.asarray(tilt)))

    def spectrum_of(self, whole: ParticleColumns, lens: Lens) -> np.ndarray:
        """Fourier transform of the wave behind columns, with the tilt and the motion of a lens."""
        behind = (self.columns.highest - 1) * self.columns.spacing / 2 + 1.5
        spectrum = self.slices.spectrum(
            whole.places + self.pad * self.pixel,
            self.parity,
            whole.ends,
            tilt=tuple(np.tan(np.radians(lens.tilt))),
            mean_square=LIBRARY_MOTION + lens.motion,
            further=whole.motions,
            leans=whole.leans,
            strength=1 + lens.strength if self.leaning else 1.0,
            behind=behind,
        )
        return cropped(spectrum, self.full)

    def motion_of(self, lens: Lens) -> float:
        """Zero: that of a lens is in the waves."""
        return 0.0

    def known(self, whole: ParticleColumns, lens: Lens) -> np.ndarray:
        """Deviations from what is known beforehand over their standard deviations, of the lens and of the columns."""
        own = [
            (whole.places - self.first) / _PLACED,
            ((whole.heights - self.known_heights) / self.doubt)[:, None],
            (whole.middles / _MIDDLE)[:, None],
            (whole.motions / self._moves_like)[:, None],
            whole.leans / self._leans_like[:, None],
        ]
        together = whole.motions.mean() / _MOVED_TOGETHER
        return np.concatenate([lens.known_beforehand(), np.hstack(own).ravel(), [together]])

    def known_slopes(self) -> csr_array:
        """Derivatives of `known`, shape (numbers, deviations)."""
        lens, count = self.lens, len(self.parity)
        now, rows = lens.known_beforehand(), []
        for moved, step in self.lens.each_moved(self.largest_tilt):
            rows.append((moved.known_beforehand() - now) / step)
        shape = (len(rows) + NUMBERS * count, len(now) + NUMBERS * count + 1)
        slopes = np.zeros(shape)
        slopes[: len(rows), : len(now)] = rows
        sizes = np.column_stack(
            [np.full((count, 2), _PLACED), self.doubt, np.full(count, _MIDDLE), self._moves_like]
            + 2 * [self._leans_like]
        ).ravel()
        own = np.arange(NUMBERS * count)
        slopes[len(rows) + own, len(now) + own] = 1 / sizes
        slopes[len(rows) + 4 :: NUMBERS, -1] = 1 / (count * _MOVED_TOGETHER)
        return csr_array(slopes)

    @property
    def largest_tilt(self) -> float:
        """In degrees."""
        return 1.2 * self.columns.tilts[-1]

    def lens_slopes(self, left: np.ndarray) -> np.ndarray:
        """Derivatives of residuals by the numbers of the lens, shape (numbers, images * rows * columns)."""
        lens, rows = self.lens, []
        first, count = len(lens.defocus), len(lens.vector)
        of_wave = (first + 11, first + 13, count - 2, count - 1)  # motion, strength of scattering, and tilt
        for number, (moved, step) in enumerate(self.lens.each_moved(self.largest_tilt)):
            spectrum = self.spectrum_of(self.whole, moved) if number in of_wave else self.spectrum
            rows.append((self.residual_images(moved, spectrum) - left).ravel() / np.float32(step))
        return np.array(rows)

    def column_slopes(self, left: np.ndarray) -> csr_array:
        """Derivatives of residuals by the numbers of the columns, shape (numbers, images * rows * columns).

        Columns that are far from each other are changed at once, and what changes about each is its own.
        """
        places, count = self.whole.places, len(self.parity)
        grid = np.stack(np.mgrid[: self.shape[0], : self.shape[1]][::-1], -1).reshape(-1, 2) * self.pixel
        within = self.region.ravel()
        about = [np.flatnonzero(within & (np.abs(grid - place).max(1) < _REACH)) for place in places]
        images = np.arange(len(left))[:, None] * grid.shape[0]
        data, at, rows = [], [], []
        for own in _apart(places):
            for kind, step in enumerate(_STEPS if self.leaning else _STEPS[:_UPRIGHT]):
                change = np.zeros((count, NUMBERS))
                change[own, kind] = step
                spectrum = self.spectrum_of(self.whole.moved(change), self.lens)
                found = (self.residual_images(self.lens, spectrum) - left).ravel() / np.float32(step)
                for column in own:
                    pixels = (images + about[column]).ravel()
                    data.append(found[pixels])
                    at.append(pixels)
                    rows.append(np.full(len(pixels), NUMBERS * column + kind))
        shape = (NUMBERS * count, left.size)
        return csr_array((np.concatenate(data), (np.concatenate(rows), np.concatenate(at))), shape=shape)


def cropped(spectrum: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the Fourier transform of an image resampled to fewer pixels, in the order of `numpy.fft.fft2`.

    Parameters
    ----------
    spectrum
        Of an image of as many pixels or more along each axis.
    shape
        Pixels wanted.
    """
    result = np.zeros(shape, np.complex64)
    ends = [(slice(0, (n + 1) // 2), slice(-(n // 2), None)) for n in shape]
    for rows in ends[0]:
        for columns in ends[1]:
            result[rows, columns] = spectrum[rows, columns]
    return result * np.float32(result.size / spectrum.size)


def _apart(places: np.ndarray) -> list[np.ndarray]:
    """Numbers of columns in groups, of which no two are near each other."""
    tree, group = cKDTree(places), np.full(len(places), -1)
    for column, near in enumerate(tree.query_ball_point(places, _ALONE)):
        taken = set(group[near])
        group[column] = next(number for number in range(len(places)) if number not in taken)
    return [np.flatnonzero(group == number) for number in range(group.max() + 1)]
