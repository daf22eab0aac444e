"""Columns of a particle and the lens of a series, fitted together by Gauss-Newton steps."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from particlespy_ml.core.progress import bar
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.series_fit.model import SeriesModel
from particlespy_ml.simulation.series_fit.optics import find_lens
from particlespy_ml.simulation.series_fit.solve import SeriesFit
from particlespy_ml.simulation.series_fit.whole_numbers import OWN_SHARE, whole_numbers
from particlespy_ml.simulation.series_fit.whole_particle import LIBRARY_MOTION, NUMBERS, ParticleModel
from particlespy_ml.simulation.waves.tilted_columns import TiltedColumns

ROUNDS = (5, 3)  # steps between measurements of the noise
_ATTEMPTS = 7  # with more and more damping, before a fit ends
_SMALL_GAIN = 2.0  # of the sum of squares: less ends a round
_DOUBT = 1.5  # atoms, how far those of the network may be off
_VACUUM = 12.0  # Å about the columns of what is seen
_ALIKE = 0.2  # noise of images that is more unlike is that of a film, whose contrast leaning columns would take up
_OWN_SHARE = 0.03  # of numbers of atoms: what is known of none where columns lean
_LEAST_SHARE = 0.6  # of the motion of all that a column's may be less


def fit_particle(
    images: np.ndarray,
    pixel: float,
    places: np.ndarray,
    posterior: np.ndarray,
    columns: TiltedColumns,
    nominal: Optics,
    defoci: list[np.ndarray],
    nearest: float,
) -> SeriesFit:
    """Fit numbers of atoms, places and the lens to a registered series, the waves of all columns together.

    The wave is that of the multislice algorithm, atoms at levels and moving on the average as all do, each column a
    little more or less. In series taken in vacuum each also leans a little beside the tilt of all, and how strongly
    atoms scatter is fitted; the contrast of a film would be taken for both. Numbers of atoms are fitted as if there
    were parts of atoms; `whole_numbers` tells which whole ones they are.

    Parameters
    ----------
    images, pixel, places, columns, nominal, defoci
        As of `particlespy_ml.simulation.series_fit.solve.fit_series`; columns of one kind.
    posterior
        Probability of each number of atoms to begin with, shape (n, highest).
    nearest
        Distance of neighbouring columns in Å, which lie half a level from each other.
    """
    heights = posterior @ np.arange(1, posterior.shape[1] + 1)
    corner, seen = _about(images, places, pixel)
    start = SeriesModel(seen, pixel, places - corner, np.rint(heights), columns, Lens.start(defoci[0], nominal))
    with bar(2 + sum(ROUNDS), "Fitting the particle", "step") as shown:
        find_lens(start, defoci)
        shown.update()
        start.measure_noise()
        leaning = len(images) > 1 and start.unlike_noise() < _ALIKE
        doubt = np.full(len(heights), _DOUBT)
        model = ParticleModel(start, heights, doubt, columns.kinds[0], nearest, leaning)
        for steps in ROUNDS:
            model.measure_noise()
            fit_columns_and_lens(model, steps, shown.update)
        model.measure_noise()
        covariance = covariance_of(model)
        shown.update()
    number = len(model.lens.vector) + NUMBERS * np.arange(len(heights)) + 2
    shared = covariance[np.ix_(number, number)]
    share = _OWN_SHARE if leaning else OWN_SHARE
    told = whole_numbers(model.whole.heights, shared, columns.highest, posterior, own_share=share)
    middles, errors = _middle_places(model, covariance)
    return SeriesFit.of(model, middles + corner, errors, told)


def fit_columns_and_lens(model: ParticleModel, steps: int, done=None) -> float:
    """Fit columns and lens by Gauss-Newton steps with Levenberg's damping; returns the sum of squares.

    Parameters
    ----------
    model
        Its columns and lens are replaced.
    steps
        At most. Derivatives by columns are taken anew for every second, and where those of the step before fail.
    done
        Called after each.
    """
    damping, left = 1e-2, model.residual_images()
    known = model.known(model.whole, model.lens)
    squares, of_columns, taken = float(np.vdot(left, left) + known @ known), None, -2
    for number in range(steps):
        if done is not None:
            done()
        before, cut = (model.lens, model.whole), len(model.lens.vector)
        found = np.inf
        for attempt in range(_ATTEMPTS):
            # derivatives of the step before will do where they lead on
            outdated = taken < number - 1 if attempt == 0 else attempt == 2 and taken < number
            if outdated:
                of_columns, taken = model.column_slopes(left), number
            if outdated or attempt == 0:
                normal, gradient = _equations(model, left, known, of_columns)
                sizes = np.diag(np.maximum(np.diag(normal), 1e-6))
            step = -np.linalg.solve(normal + damping * sizes, gradient)
            model.lens = before[0].moved(step[:cut], model.largest_tilt)
            least = -_LEAST_SHARE * (LIBRARY_MOTION + model.lens.motion)
            model.whole = before[1].moved(step[cut:].reshape(-1, NUMBERS), least)
            model.rebuild()
            after, deviations = model.residual_images(), model.known(model.whole, model.lens)
            found = float(np.vdot(after, after) + deviations @ deviations)
            if found < squares:
                break
            model.lens, model.whole = before
            model.rebuild()
            damping *= 6
        if found >= squares:
            break
        gain, squares, left, known, damping = squares - found, found, after, deviations, max(damping / 6, 1e-5)
        if gain < _SMALL_GAIN:
            break
    return squares


def _equations(model: ParticleModel, left: np.ndarray, known: np.ndarray, of_columns: csr_array):
    """Normal matrix and gradient of all numbers, those of the lens first."""
    of_lens, by_known = model.lens_slopes(left), model.known_slopes()
    cross = of_columns @ of_lens.T
    normal = np.block([[of_lens @ of_lens.T, cross.T], [cross, (of_columns @ of_columns.T).toarray()]])
    gradient = np.concatenate([of_lens @ left.ravel(), of_columns @ left.ravel()])
    return normal.astype(float) + (by_known @ by_known.T).toarray(), gradient.astype(float) + by_known @ known


def covariance_of(model: ParticleModel) -> np.ndarray:
    """Covariance of all numbers, those of the lens first, from the normal matrix."""
    left = model.residual_images()
    normal, _ = _equations(model, left, model.known(model.whole, model.lens), model.column_slopes(left))
    # numbers at their limits have no slope
    flat = np.diag(normal) < 1e-9
    return np.linalg.inv(normal + np.diag(np.where(flat, 1.0, 0.0)))


def _about(images: np.ndarray, places: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of images that has the columns in it, with some vacuum, and x and y of its first pixel in Å."""
    low = np.maximum(np.floor((places.min(0) - _VACUUM) / pixel).astype(int), 0)
    high = np.ceil((places.max(0) + _VACUUM) / pixel).astype(int) + 1
    return low * pixel, images[:, low[1] : high[1], low[0] : high[0]]


def _middle_places(model: ParticleModel, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the middles of columns, which a tilt moves from those at level zero, and their standard errors."""
    spacing, tilt = model.columns.spacing, np.radians(model.lens.tilt)
    lean, count, cut = np.tan(tilt) * spacing, len(model.parity), len(model.lens.vector)
    errors = np.empty((count, 2))
    for column, middle in enumerate(model.whole.middles):
        first = cut + NUMBERS * column
        for axis in (0, 1):
            of = [first + axis, first + 3, cut - 2 + axis]
            slope = np.array([1.0, lean[axis], middle * spacing * np.pi / 180 / np.cos(tilt[axis]) ** 2])
            errors[column, axis] = np.sqrt(slope @ covariance[np.ix_(of, of)] @ slope)
    return model.whole.places + model.whole.middles[:, None] * lean, errors
