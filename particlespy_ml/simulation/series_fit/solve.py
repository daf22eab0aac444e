"""Heights, places and lens of a focal series, in turn, with the doubt of the heights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.core.progress import bar
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.series_fit.columns import change_heights, height_costs, place_errors
from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.series_fit.model import SeriesModel
from particlespy_ml.simulation.series_fit.optics import find_lens, fit_lens
from particlespy_ml.simulation.waves.tilted_columns import TiltedColumns

ROUNDS = 14
WORTH = 1.0  # decrease of the sum of squares for which a height changes
SHARE = 0.3  # of the largest decrease, which changes at once must have
FARTHEST = 3  # atoms by which all heights are tried off together, at most, as long as that fits better
DOUBT = 4.0  # of heights: what the model leaves is more than noise, and alike for many columns
_SCAN = 20.0  # Å between the defoci tried


@dataclass(frozen=True)
class SeriesFit:
    """What a focal series tells of its columns and of its lens.

    Parameters
    ----------
    places, errors
        x and y of the columns in Å and their standard errors, shape (n, 2).
    posterior
        Probability of each number of atoms, shape (n, highest).
    optics
        Of each image.
    tilt
        Of the particle in degrees along x and y, shape (2,).
    shifts
        Of each image along x and y in Å, shape (images, 2).
    expected, images
        Fitted and measured images relative to the empty beam, shape (images, rows, columns).
    misfit
        Power of what the fit leaves near columns over that of the noise elsewhere.
    """

    places: np.ndarray
    errors: np.ndarray
    posterior: np.ndarray
    optics: tuple[Optics, ...]
    tilt: np.ndarray
    shifts: np.ndarray
    expected: np.ndarray
    images: np.ndarray
    misfit: float

    @classmethod
    def of(cls, model: SeriesModel, places: np.ndarray, errors: np.ndarray, posterior: np.ndarray) -> SeriesFit:
        """Return what a fitted model tells, with places, their errors and numbers of atoms that were told by it."""
        count = len(model.images)
        expected = np.array([model.image(k, model.lens, model.spectrum)[0] for k in range(count)])
        levels = np.array([model.level(k, one) for k, one in enumerate(expected)])
        return cls(
            places,
            errors,
            posterior,
            tuple(model.lens.optics(k) for k in range(count)),
            model.lens.tilt,
            np.vstack([np.zeros(2), model.lens.shifts]),
            expected,
            model.images / levels[:, None, None],
            float(np.mean(model.variance)),
        )

    @property
    def heights(self) -> np.ndarray:
        """Most probable numbers of atoms, shape (n,)."""
        return self.posterior.argmax(1) + 1


def defoci_to_try(count: int, steps: tuple[float, ...], limits: tuple[float, float]) -> list[np.ndarray]:
    """Return defoci in Å of the images of a series for every first one between limits, and each step between images.

    Examples
    --------
    >>> [one.tolist() for one in defoci_to_try(3, (-130.0,), (0.0, 20.0))]
    [[0.0, -130.0, -260.0], [20.0, -150.0, -280.0]]
    """
    firsts = np.arange(limits[0], limits[1] + 1e-9, _SCAN)
    return [first + step * np.arange(count) for first in firsts for step in steps]


def fit_series(
    images: np.ndarray,
    pixel: float,
    places: np.ndarray,
    heights: np.ndarray,
    columns: TiltedColumns,
    nominal: Optics,
    defoci: list[np.ndarray],
    kinds: np.ndarray | None = None,
) -> SeriesFit:
    """Fit heights, places and the lens to a registered series.

    The wave behind a particle is taken for that of vacuum and what its columns add to it, each alone. Heights are
    changed one by one, places and lens by Gauss-Newton steps, in turn, from the heights given and from those of all
    columns off by one to three; noise is measured where no column is.

    Parameters
    ----------
    images
        Shape (images, rows, columns), proportional to electrons.
    pixel
        Pixel size in Å.
    places, heights
        To begin with: x and y in Å, shape (n, 2), and numbers of atoms, shape (n,).
    columns
        Waves of single columns.
    nominal
        What is known of the lens.
    defoci
        Of the images that are tried, see `defoci_to_try`.
    kinds
        Number of the kind of each column in *columns*, shape (n,); all are of the first by default.
    """
    model = SeriesModel(images, pixel, places, heights, columns, Lens.start(defoci[0], nominal), kinds)
    with bar(1 + 2 * FARTHEST, "Fitting columns", "solution") as shown:
        find_lens(model, defoci)
        _settle(model)
        found = [_state(model)]
        shown.update()
        for offset in (-1, 1):
            best = found[0]
            for _ in range(FARTHEST):
                tried = _shifted(model, best, offset)
                found.append(tried)
                shown.update()
                if tried.squares(model) > best.squares(model):
                    break
                best = tried
    # each state was measured by its own noise: compare them by that of the best fit
    model.noise, model.variance = min(found, key=lambda one: one.noise_power).noise_model
    squares, costs = [], []
    for one in found:
        squares.append(one.squares(model))
        costs.append(height_costs(model))
    posterior = posterior_of(np.array(squares), np.array(costs), DOUBT * model.alikeness())
    _restore(model, found[int(np.argmin(squares))])
    errors = place_errors(model)
    return SeriesFit.of(model, model.places, errors, posterior)


def posterior_of(squares: np.ndarray, costs: np.ndarray, doubt: float) -> np.ndarray:
    """Return the probability of each number of atoms, shape (n, highest).

    Parameters
    ----------
    squares
        Sum of squares of each solution, shape (solutions,).
    costs
        How it changes where one column has another height, shape (solutions, n, highest).
    doubt
        Variance of what the fit leaves, over that of independent noise.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.series_fit.solve import posterior_of
    >>> costs = np.array([[[0.0, 200.0]], [[200.0, 0.0]]])
    >>> posterior_of(np.array([10.0, 10.0]), costs, 1.0).round(3).tolist()
    [[0.5, 0.5]]
    """
    weights = np.exp(-0.5 * (squares - squares.min()) / doubt)
    told = np.exp(-0.5 * (costs - costs.min(2, keepdims=True)) / doubt)
    told /= told.sum(2, keepdims=True)
    return np.einsum("s,snh->nh", weights / weights.sum(), told)


@dataclass(frozen=True)
class _State:
    heights: np.ndarray
    places: np.ndarray
    lens: Lens
    noise_model: tuple[np.ndarray, np.ndarray]

    @property
    def noise_power(self) -> float:
        return float(np.mean(self.noise_model[0].mean(1) * self.noise_model[1]))

    def squares(self, model: SeriesModel) -> float:
        """Sum of squares of this state by the noise that a model has, which takes over all else of it."""
        _restore(model, self, noise=False)
        return model.squares()


def _state(model: SeriesModel) -> _State:
    return _State(model.heights.copy(), model.places.copy(), model.lens, (model.noise.copy(), model.variance.copy()))


def _shifted(model: SeriesModel, state: _State, offset: int) -> _State:
    """The state that is found from one with all heights off by some atoms."""
    _restore(model, state)
    model.heights = np.clip(model.heights + offset, 1, model.columns.highest)
    model.rebuild()
    fit_lens(model)
    _settle(model, rounds=8)
    return _state(model)


def _restore(model: SeriesModel, state: _State, noise: bool = True) -> None:
    model.heights, model.places, model.lens = state.heights.copy(), state.places.copy(), state.lens
    model.parts = np.zeros(len(model.heights))
    if noise:
        model.noise, model.variance = (one.copy() for one in state.noise_model)
    model.rebuild()


def _settle(model: SeriesModel, rounds: int = ROUNDS) -> None:
    """Fit parts of atoms, then change heights, places and lens in turn until no height changes."""
    for _ in range(2):
        model.measure_noise()
        fit_lens(model, 4, by_height=True)
    model.parts = np.zeros(len(model.heights))
    model.rebuild()
    for _ in range(rounds):
        model.measure_noise()
        changed = change_heights(model, WORTH, SHARE)
        fit_lens(model, 2 if changed else 4)
        if not changed:
            break
