"""The lens of a focal series, by Gauss-Newton steps with Levenberg's damping."""

from __future__ import annotations

import numpy as np

from particlespy_ml.simulation.series_fit.columns import column_slopes, known_of_columns, step_columns
from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.series_fit.model import SeriesModel

SMALL_GAIN = 0.5  # of the sum of squares: less ends the fit
_FIRST_TILTS = (0.4, 1.2)  # degrees, tried in six directions: where there is none, every direction is the same


def fit_lens(model: SeriesModel, iterations: int = 5, tilted: bool = True, by_height: bool = False) -> float:
    """Fit the lens of a model, the tilt of its particle and the places of its columns; returns the sum of squares.

    Places are many, but each changes the images around it alone: they are eliminated from the equations of the lens.

    Parameters
    ----------
    model
        Its lens and places are replaced.
    iterations
        Steps at most.
    tilted
        Whether the tilt is fitted too.
    by_height
        Whether numbers of atoms are fitted too, as if there were parts of atoms: the lens then does not lean on wrong
        ones.
    """
    largest = 1.2 * model.columns.tilts[-1]
    squares, damping = model.squares() + known_of_columns(model, 2)[0], 1e-2
    for _ in range(iterations):
        before = model.lens, model.places, model.heights, model.parts
        left, known = model.residual_images(), model.lens.known_beforehand()
        slopes, by_known = _slopes(model, tilted, largest, left, known)
        local = column_slopes(model, by_height)
        flat, count = slopes.reshape(len(slopes), -1), local.normal.shape[1]
        normal, gradient = flat @ flat.T + by_known @ by_known.T, flat @ left.ravel() + by_known @ known
        cross = -local.projected(slopes).reshape(len(slopes), -1)
        own = -local.projected(left) + known_of_columns(model, count)[1]
        inverse = np.linalg.inv(local.normal)
        spread = np.einsum("nab,lnb->lna", inverse, cross.reshape(len(slopes), -1, count)).reshape(len(slopes), -1)
        reduced, pulled = normal - spread @ cross.T, gradient - spread @ own.ravel()
        # numbers at their limits have no slope
        sizes = np.diag(np.maximum(np.diag(normal), 1e-6))
        for _ in range(5):
            step = -np.linalg.solve(reduced + damping * sizes, pulled)
            away = -np.einsum("nab,nb->na", inverse, own + (step @ cross).reshape(-1, count))
            model.lens = before[0].moved(step if tilted else np.concatenate([step, [0, 0]]), largest)
            step_columns(model, away / (1 + damping))
            model.rebuild()
            found = model.squares() + known_of_columns(model, 2)[0]
            if found < squares:
                break
            model.lens, model.places, model.heights, model.parts = before
            damping *= 6
        else:
            model.rebuild()
            break
        gain, squares, damping = squares - found, found, max(damping / 6, 1e-5)
        if gain < SMALL_GAIN:
            break
    return squares


def _slopes(model: SeriesModel, tilted: bool, largest: float, left: np.ndarray, known: np.ndarray):
    """Derivatives of residuals and of deviations from what is known by the numbers of the lens."""
    moved, images, others = model.lens.each_moved(largest), [], []
    for number, (lens, step) in enumerate(moved if tilted else moved[:-2]):
        spectrum = model.wave_spectrum(lens.tilt) if number >= len(moved) - 2 else model.spectrum
        images.append((model.residual_images(lens, spectrum) - left) / np.float32(step))
        others.append((lens.known_beforehand() - known) / step)
    return np.array(images), np.array(others)


def find_lens(model: SeriesModel, defoci: list[np.ndarray], tries: int = 3) -> float:
    """Fit the lens of a model from the best of several defoci of the images, then from the best of several tilts.

    Parameters
    ----------
    model
        Its lens is replaced.
    defoci
        Of the images in Å, shape (images,) each.
    tries
        Of the best defoci that are fitted.
    """
    nominal = model.lens.nominal
    scanned = []
    for number, defocus in enumerate(defoci):
        left = model.residual_images(Lens.start(defocus, nominal))
        scanned.append((float(np.vdot(left, left)), number))
    found = []
    for _, number in sorted(scanned)[:tries]:
        model.lens = Lens.start(defoci[number], nominal)
        model.rebuild()
        found.append((fit_lens(model, tilted=False), number, model.lens))
    model.lens = min(found, key=lambda one: one[:2])[2]
    model.measure_noise()
    fit_lens(model, 4, tilted=False)
    return _find_tilt(model)


def _find_tilt(model: SeriesModel) -> float:
    """Fit lens and tilt from several tilts."""
    straight = model.lens
    turns = np.arange(6) * np.pi / 3
    starts = [size * np.array([np.cos(turn), np.sin(turn)]) for size in _FIRST_TILTS for turn in turns]
    scanned = []
    for number, tilt in enumerate(starts):
        left = model.residual_images(straight, model.wave_spectrum(tilt))
        scanned.append((float(np.vdot(left, left)), number))
    found = []
    for _, number in sorted(scanned)[:2]:
        model.lens = straight.moved(np.concatenate([np.zeros(len(straight.vector) - 2), starts[number]]), 9.0)
        model.rebuild()
        found.append((fit_lens(model, 4), number, model.lens))
    squares, _, model.lens = min(found, key=lambda one: one[:2])
    model.rebuild()
    return squares
