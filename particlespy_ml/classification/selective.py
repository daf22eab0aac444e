"""From an accuracy that is asked for to the probability below which a particle is left undefined."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from particlespy_ml.classification.surroundings import LATTICE, lattice_share

TARGETS = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
NEVER = 1.001  # no probability is as large
LEAST_IMAGES = 300  # from which a threshold is told
LESS = 1.5  # times less noise than the least that told thresholds: another kind of image
DOUBT = 2  # answers that count as wrong besides those that were, so that a few that are right do not stand for all


def noise_share(windows: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the noise of windows over that of all that they show.

    Parameters
    ----------
    windows
        Shape (n, rows, columns), of 3 or more pixels along each side.

    Returns
    -------
    numpy.ndarray
        Shape (n,), 0 for windows without noise, about 1 for those of white noise alone.

    References
    ----------
    J. Immerkaer, Comput. Vis. Image Underst. 64, 300 (1996).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.classification.selective import noise_share
    >>> rng = np.random.default_rng(0)
    >>> smooth = 2**0.5 * np.sin(np.arange(64) / 5) * np.ones((64, 1))
    >>> noise_share(np.stack([smooth, smooth + rng.normal(size=(64, 64)), rng.normal(size=(64, 64))])).round(1).tolist()
    [0.0, 0.7, 1.0]
    """
    windows = np.asarray(windows, np.float32)
    if len(windows) == 0:
        return np.zeros(0, np.float32)
    fine = np.diff(np.diff(windows, 2, axis=1), 2, axis=2)
    deviation = windows.std((1, 2))
    noise = np.sqrt(np.pi / 2) / 6 * np.abs(fine).mean((1, 2))
    return np.where(deviation > 0, noise / np.where(deviation > 0, deviation, 1), 0)


@dataclass(frozen=True)
class Thresholds:
    """Probabilities that make a share of the answers right, by the noise of a window.

    Parameters
    ----------
    noise
        Ascending shares of noise, see `noise_share`, shape (m,).
    targets
        Ascending accuracies, shape (k,).
    min_probability
        Shape (m, k); above 1 where no probability gives the accuracy.
    below
        Least probability of windows that show less noise than any that told thresholds: they were smoothed, or are of
        another kind.
    on_lattices
        Those of particles about which a lattice shows, see `particlespy_ml.classification.surroundings`, where they
        were found apart.
    """

    noise: np.ndarray
    targets: np.ndarray
    min_probability: np.ndarray
    below: float = 0.0
    on_lattices: Thresholds | None = None

    @classmethod
    def from_card(cls, card: dict) -> Thresholds | None:
        """Return those of a model's card; None where it has none."""
        told = card.get("selective_thresholds")
        return None if told is None else cls._from_dict(told, float(card.get("min_probability", 0.0)))

    @classmethod
    def _from_dict(cls, told: dict, below: float) -> Thresholds:
        apart = cls._from_dict(told["on_lattices"], below) if "on_lattices" in told else None
        return cls(*(np.array(told[name], float) for name in ("noise", "targets", "min_probability")), below, apart)

    def as_dict(self) -> dict:
        """Return what `from_card` takes, as the item ``selective_thresholds``."""
        return {
            "noise": self.noise.round(4).tolist(),
            "targets": self.targets.tolist(),
            "min_probability": self.min_probability.round(4).tolist(),
            **({} if self.on_lattices is None else {"on_lattices": self.on_lattices.as_dict()}),
        }

    def at(self, noise: np.ndarray, target: float, lattice: np.ndarray | None = None) -> np.ndarray:
        """Return the least probability of windows with some noise, shape of *noise*.

        Between targets, and between shares of noise, it is interpolated; beyond the largest noise that is known, and
        above the largest target, nothing is answered; far below the least noise that is known it is `below` at least.

        Parameters
        ----------
        noise
            Shape (n,).
        target
            Accuracy that is asked for.
        lattice
            How strong a lattice shows about each particle, shape (n,), NaN where its surroundings are not seen. Those
            need the larger one of both probabilities, those next to the limit a mean of both.
        """
        of_noise = [np.interp(target, self.targets, row, right=NEVER) for row in self.min_probability]
        without = np.interp(noise, self.noise, of_noise, right=NEVER)
        without = np.where(noise < self.noise[0] / LESS, np.maximum(without, self.below), without)
        if self.on_lattices is None or lattice is None:
            return without
        on_lattices = self.on_lattices.at(noise, target)
        share = lattice_share(lattice)
        told = (1 - share) * without + share * on_lattices
        return np.where(np.isnan(lattice), np.maximum(on_lattices, without), told)

    def least(
        self, noise: np.ndarray, target: float, probabilities: np.ndarray, lattice: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the least probability of windows, as `at` does, and no less than that they show none of the classes.

        Accuracies are those of images that show one: what shows none must not have one because it is free of noise.

        Parameters
        ----------
        noise, target, lattice
            See `at`.
        probabilities
            Of the classes, shape (n, classes); they sum to less than one where a model knows of none.
        """
        return np.maximum(self.at(noise, target, lattice), 1 - probabilities.sum(1))


def fit_thresholds(
    noise: np.ndarray,
    probabilities: np.ndarray,
    labels: np.ndarray,
    lattice: np.ndarray | None = None,
    bins: int = 12,
    targets: tuple[float, ...] = TARGETS,
) -> Thresholds:
    """Return the probabilities that make shares of the answers right, from images whose class is known.

    Images are sorted by their noise into bins of equal numbers, which overlap where they would hold fewer than
    `LEAST_IMAGES`. In each, the threshold of a target is the least probability above which so many answers are right,
    where answers that are surer count as right more often (isotonic regression), and two more as wrong.

    Parameters
    ----------
    noise
        Share of the noise of each image, shape (n,).
    probabilities
        Of the classes, shape (n, classes).
    labels
        True classes, shape (n,); a number that is no class counts as an answer that is wrong.
    lattice
        How strong a lattice shows about each particle, shape (n,), NaN counting as none; with it, those on lattices
        have thresholds of their own, where there are `LEAST_IMAGES` with and without one.
    bins
        Number of bins.
    targets
        Ascending accuracies.
    """
    seen = np.zeros(len(noise), bool) if lattice is None else lattice > LATTICE
    if min(seen.sum(), (~seen).sum()) >= LEAST_IMAGES:
        parts = (fit_thresholds(noise[r], probabilities[r], labels[r], None, bins, targets) for r in (~seen, seen))
        without, on_lattices = parts
        return replace(without, on_lattices=on_lattices)
    from sklearn.isotonic import IsotonicRegression

    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    order = np.argsort(noise, kind="stable")
    count = max(-(-len(order) // bins), min(len(order), LEAST_IMAGES))
    starts = np.linspace(0, len(order) - count, bins).round().astype(int)
    parts = [order[start : start + count] for start in starts]
    table = np.full((bins, len(targets)), NEVER)
    for row, part in enumerate(parts):
        order = part[np.argsort(-confidence[part], kind="stable")]
        sure = IsotonicRegression(y_min=0, y_max=1).fit_transform(confidence[order], right[order])
        accuracy = np.cumsum(sure) / (np.arange(1, len(order) + 1) + DOUBT)
        for column, target in enumerate(targets):
            enough = np.flatnonzero(accuracy >= target)
            if len(enough):
                last = enough[-1]
                table[row, column] = 0.0 if last == len(order) - 1 else confidence[order[last]]
    return Thresholds(np.array([np.median(noise[part]) for part in parts]), np.array(targets, float), table)


def check_target(name: str, card: dict, target: float, min_probability: float | None, calibrated: bool) -> None:
    """Raise ValueError unless a model's card tells how to reach an accuracy, and nothing else is asked for."""
    thresholds = Thresholds.from_card(card)
    if min_probability is not None or not calibrated:
        raise ValueError(
            "target_accuracy= chooses the least probability by itself; leave out min_probability= and calibrated=."
        )
    if thresholds is None:
        raise ValueError(
            f"The card of the model {name!r} does not tell which probability gives an accuracy; give min_probability=."
        )
    if not 0 < target <= thresholds.targets[-1]:
        raise ValueError(f"target_accuracy={target}; expected a share above 0, and {thresholds.targets[-1]:g} at most.")
