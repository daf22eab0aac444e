"""How many components a mixture has, or why that cannot be told; and how many atoms each of them stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.counting.mixture import CRITERIA, Mixture, fit_mixtures, fit_regular_mixture
from particlespy_ml.counting.offset import first_count_posterior

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


FEWEST_COLUMNS = 24
FEWEST_COMPONENTS = 3
FEWEST_EACH = 8.0  # columns for each component on average: fewer fall into heaps by chance
SMALLEST_SEPARATION = 3.6  # increments over width: below it 7 % of the columns of inner components would be wrong
SMALLEST_EVIDENCE = -6.0
FEWEST_AT_THE_ENDS = 1.5
LONE_COLUMN = 10.0  # of the criterion: what a component of a single column has to be worth
STEP_SPREAD = 0.15  # of increments of one number of atoms, relative: by the bend of the curve, and by chance
MOST_DOUBTFUL = 3  # increments whose number of atoms is varied


@dataclass(frozen=True)
class MixtureChoice:
    """Mixtures of all numbers of components and the one that is chosen.

    Parameters
    ----------
    free
        Mixtures of 1, 2, ... components with free means, whose criteria the literature plots.
    regular
        The same with means on a smooth curve, from `FEWEST_COMPONENTS` components on.
    chosen
        The mixture to count with; None where none is sure enough.
    reason
        Why there is none; empty where there is one.
    values
        Cross-sections that the mixtures were fitted to, without columns that were left out.
    """

    free: list[Mixture]
    regular: list[Mixture]
    chosen: Mixture | None
    reason: str = ""
    values: np.ndarray = field(default_factory=lambda: np.empty(0))

    def criterion(self, name: str = "icl", regular: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of components and the values of a criterion for them.

        Parameters
        ----------
        name
            "icl", "bic" or "aic".
        regular
            Of the regular mixtures in place of the free ones.
        """
        if name not in CRITERIA:
            raise ValueError(f"Unknown criterion {name!r}; expected one of {', '.join(CRITERIA)}.")
        fits = self.regular if regular else self.free
        return np.array([len(fit.means) for fit in fits]), np.array([getattr(fit, name) for fit in fits])


def choose_mixture(
    values: ArrayLike,
    max_components: int = 40,
    width: str = "shared",
    gain: float | None = None,
    n_components: int | None = None,
    criterion: str = "icl",
    lone_left: int = 2,
) -> MixtureChoice:
    """Fit mixtures to cross-sections and choose one of them, or none.

    The rule: among mixtures whose means lie on a smooth curve, the one with the lowest criterion is taken if

    - there are `FEWEST_COLUMNS` columns and `FEWEST_COMPONENTS` components or more (one component has no increment to
      count by),
    - the smallest increment is `SMALLEST_SEPARATION` widths or more, since a smear of unresolved components looks like
      a few wide ones about three widths apart,
    - there are `FEWEST_EACH` columns or more for each component on average,
    - its criterion is not more than 6 above the BIC of one or two components,
    - the first and the last component hold more than one column. Where a mixture without such components is not more
      than `LONE_COLUMN` worse, it is taken instead; otherwise the lone column is left out and the rule starts again.

    Parameters
    ----------
    values
        Scattering cross-sections, shape (n,).
    max_components, width, gain
        See `particlespy_ml.counting.mixture.fit_mixtures`.
    n_components
        Take this number and ask for no evidence.
    criterion
        "icl", "bic" or "aic".
    lone_left
        How often a lone column at an end may be left out.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.selection import choose_mixture
    >>> values = np.concatenate([n + 0.1 * np.random.default_rng(n).normal(size=20) for n in (1, 2, 3, 4)])
    >>> len(choose_mixture(values, 8).chosen.means)
    4
    >>> choose_mixture(values + np.random.default_rng(0).normal(size=80), 8).reason
    'the components are not resolved: ...'
    """
    values = np.asarray(values, float).ravel()
    if criterion not in CRITERIA:
        raise ValueError(f"Unknown criterion {criterion!r}; expected one of {', '.join(CRITERIA)}.")
    if n_components is not None and n_components < 1:
        raise ValueError(f"n_components={n_components}; expected one or more.")
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return MixtureChoice([], [], None, f"{len(values)} columns are too few for a mixture", values)
    if n_components is not None and n_components > len(values) // 2:
        raise ValueError(f"n_components={n_components} for {len(values)} columns; expected half as many at most.")
    most = max_components if n_components is None else n_components
    free = fit_mixtures(values, most, width, gain, patience=None if n_components else 10)
    if n_components is not None:
        return MixtureChoice(free, [], free[n_components - 1], "", values)
    regular = [fit_regular_mixture(values, fit, width, gain) for fit in free[FEWEST_COMPONENTS - 1 :]]
    if len(values) < FEWEST_COLUMNS or not regular:
        reason = f"{len(values)} columns are too few for a mixture; {FEWEST_COLUMNS} or more are needed"
        return MixtureChoice(free, regular, None, reason, values)
    best = min(regular, key=lambda fit: getattr(fit, criterion))
    if _ends(best) < FEWEST_AT_THE_ENDS:
        whole = [fit for fit in regular if _ends(fit) >= FEWEST_AT_THE_ENDS]
        second = min(whole, key=lambda fit: getattr(fit, criterion), default=best)
        best = second if getattr(second, criterion) < getattr(best, criterion) + LONE_COLUMN else best
    reason = _doubt(best, free, criterion)
    if not reason and _ends(best) < FEWEST_AT_THE_ENDS:
        rest = values[_lone(best, values)]
        if len(rest) < len(values) and lone_left:
            return choose_mixture(rest, max_components, width, gain, None, criterion, lone_left - 1)
        reason = "the first or the last component holds a single column, which may be no column of the particle"
    return MixtureChoice(free, regular, None if reason else best, reason, values)


def _doubt(best: Mixture, free: list[Mixture], criterion: str) -> str:
    """Why a regular mixture is not to be trusted."""
    apart = separation(best)
    if apart < SMALLEST_SEPARATION:
        return (
            f"the components are not resolved: the best mixture has increments of {apart:.1f} widths, "
            f"{SMALLEST_SEPARATION} or more are needed; take more dose, or a library"
        )
    each = best.n_values / len(best.means)
    if each < FEWEST_EACH:
        return (
            f"the numbers of atoms are not resolved: {best.n_values} columns in {len(best.means)} components "
            f"are too few; take a library"
        )
    evidence = min(fit.bic for fit in free[: FEWEST_COMPONENTS - 1]) - getattr(best, criterion)
    if evidence < SMALLEST_EVIDENCE:
        return f"one or two components describe the columns better (by {-evidence:.0f}); take more dose, or a library"
    return ""


def _lone(mixture: Mixture, values: np.ndarray) -> np.ndarray:
    """Values that are not in a component at an end that holds a single column."""
    nearest = mixture.posterior(values).argmax(1)
    keep = np.ones(len(values), bool)
    for end in (0, len(mixture.means) - 1):
        if mixture.weights[end] * mixture.n_values < FEWEST_AT_THE_ENDS:
            keep &= nearest != end
    return keep


def _ends(mixture: Mixture) -> float:
    """Number of columns of the first or the last component, whichever has fewer."""
    return float(mixture.weights[[0, -1]].min() * mixture.n_values)


def separation(mixture: Mixture) -> float:
    """Return the smallest ratio of an increment to the mean width of its two components."""
    widths = mixture.widths
    return float(np.min(np.diff(mixture.means) / (0.5 * (widths[1:] + widths[:-1])))) if len(widths) > 1 else np.inf


@dataclass(frozen=True)
class ComponentSteps:
    """Numbers of atoms of components from the first one on.

    Parameters
    ----------
    steps
        Atoms more than the first component, shape (g,).
    log_weight
        Logarithm of the probability of these steps.
    unit
        What the cross-section grows by with an atom beyond the first component.
    ratio
        Mean of the first component in these units.
    error
        Its standard error.
    """

    steps: np.ndarray
    log_weight: float
    unit: float
    ratio: float
    error: float


def component_steps(mixture: Mixture) -> list[ComponentSteps]:
    """Return how many atoms lie between components, the most probable way first.

    Components are steps of one atom, or of more where an increment is that much longer than the typical one; where an
    increment lies between, both are returned.

    Parameters
    ----------
    mixture
        Means ascending, two or more.
    """
    means = np.asarray(mixture.means, float)
    increments = np.diff(means)
    small = np.median(np.sort(increments)[: max(1, (len(increments) + 1) // 2)])
    lengths = increments / small
    typical = np.maximum(np.rint(lengths).astype(int), 1)
    errors = mixture.widths / np.sqrt(np.maximum(mixture.weights * mixture.n_values, 1))
    # increments between two numbers of atoms, the least sure ones first
    doubt = np.argsort(-np.abs(lengths - typical))[:MOST_DOUBTFUL]
    doubt = [k for k in doubt if abs(lengths[k] - typical[k]) > 0.25 and lengths[k] > 1]
    ways = []
    for turned in product((False, True), repeat=len(doubt)):
        steps = typical.copy()
        for k, other in zip(doubt, turned, strict=True):
            steps[k] += (1 if lengths[k] > typical[k] else -1) * other
        if (steps < 1).any():
            continue
        log_weight = -0.5 * float(np.sum(((lengths - steps) / STEP_SPREAD) ** 2))
        units = (increments / steps)[:2]
        unit = float(np.mean(units))
        span = float(steps[: len(units)].sum())
        of_unit = np.hypot(errors[0], errors[len(units)]) / span
        ratio = float(means[0] / unit)
        error = float(np.hypot(errors[0], ratio * of_unit) / unit)
        ways.append(ComponentSteps(np.concatenate([[0], np.cumsum(steps)]), log_weight, unit, ratio, error))
    return sorted(ways, key=lambda way: -way.log_weight)


def component_counts(mixture: Mixture, offset: int | None = None) -> np.ndarray:
    """Return the most probable number of atoms that each component stands for.

    Components are steps of one atom, or of more where an increment is that much longer than the typical one. How many
    atoms the first is depends on how many increments its mean holds, see
    `particlespy_ml.counting.offset.first_count_posterior`.

    Parameters
    ----------
    mixture
        Means ascending.
    offset
        Number of atoms of the first component less one, in place of what the means say: 0 where the thinnest columns
        are single atoms.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.mixture import Mixture
    >>> from particlespy_ml.counting.selection import component_counts
    >>> means = np.array([1.0, 2.0, 4.0])
    >>> component_counts(Mixture(means, np.full(3, 1 / 3), 0.01, 0.0, 0.0, 0.0, 0.0, 60, 6))
    array([1, 2, 4])
    """
    if offset is not None and int(offset) + 1 < 1:
        raise ValueError(f"offset={offset}; expected a number of atoms, 0 or more.")
    if len(mixture.means) < 2:
        if offset is None:
            raise ValueError("One component has no increment to tell the number of atoms by; give offset=.")
        return np.array([offset + 1])
    way = component_steps(mixture)[0]
    first = 1 + int(np.argmax(first_count_posterior(way.ratio, way.error)[1:])) if offset is None else int(offset) + 1
    return first + way.steps
