"""Numbers of atoms from mixtures: all mixtures, offsets and false columns that explain cross-sections."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from particlespy_ml.counting.evidence import SURE_ERROR, AssessedMixture, assess_mixture
from particlespy_ml.counting.joint import Explanation, no_column
from particlespy_ml.counting.mixture import Mixture
from particlespy_ml.counting.offset import first_count_posterior
from particlespy_ml.counting.selection import ComponentSteps, MixtureChoice, choose_mixture, component_steps

CHOSEN = 1.0  # log-likelihood that the rule of `choose_mixture` is worth beside the evidence
FEWEST_FALSE, MOST_FALSE = 0.01, 0.1  # of the columns: how many are left out to see whether the smallest are false
GAP = 1.15  # between cross-sections that are left out and the others, as a factor
FALSE_RATE = 0.02  # of false columns where there are some
SOME_FALSE = 0.2  # probability that there are some, before the cross-sections are seen
MOST_EXTRA = 12  # numbers of atoms beyond the last component
EXTRA_SPREAD = 0.2  # of an increment: uncertainty of each of them
WIDER = 1.15  # than fitted: the tails of cross-sections of one number of atoms are heavier than a normal distribution's
NEGLIGIBLE = 10.0  # log-evidence below the best of mixtures that are left out
MOST_ATOMS = 20  # of columns that are all alike, which nothing tells


@dataclass(frozen=True)
class MixtureCounts:
    """Explanations of the cross-sections of a frame by mixtures.

    Parameters
    ----------
    explanations
        Of all columns.
    choice
        Mixtures, and the one that is resolved.
    first
        Probability that the thinnest component has 0, 1, 2, ... atoms.
    best
        The most probable mixture; None where columns are all alike or too few to fit one.
    """

    explanations: list[Explanation]
    choice: MixtureChoice
    first: np.ndarray
    best: Mixture | None


def count_with_mixtures(values, errors, doubtful=None, offset: int | None = None, **options) -> MixtureCounts:
    """Return all explanations of cross-sections by mixtures.

    Mixtures of all numbers of components are weighed by their evidence, and each of them by the probability of the
    number of atoms of its first component. Where a few columns are much smaller than all others, mixtures of the others
    are tried as well.

    Parameters
    ----------
    values, errors
        Cross-sections and their standard errors, shape (n,).
    doubtful
        Columns that may be none, such as those on no site of the lattice, shape (n,).
    offset
        Number of atoms of the first component less one, where it is known.
    **options
        For `particlespy_ml.counting.selection.choose_mixture`.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.joint import join_explanations
    >>> from particlespy_ml.counting.mixture_counts import count_with_mixtures
    >>> rng = np.random.default_rng(0)
    >>> values = np.repeat([1.0, 2.0, 3.0, 4.0], 20) + 0.1 * rng.normal(size=80)
    >>> found = count_with_mixtures(values, np.full(80, 0.1), max_components=8)
    >>> joint = join_explanations(found.explanations)
    >>> np.bincount(joint.posterior.argmax(1))
    array([ 0, 20, 20, 20, 20])
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    everything = np.ones(len(values), bool)
    tried = [_assess(values, errors, everything, options)]
    cut = _smallest(values)
    if cut is not None and options.get("n_components") is None:
        tried.append(_assess(values, errors, ~cut, options))
        absent = int(cut.sum())
        # the ones left out are spread evenly below the others
        false = absent * np.log(FALSE_RATE / values[~cut].min()) + (~cut).sum() * np.log1p(-FALSE_RATE)
        tried[1] = _moved(tried[1], false + np.log(SOME_FALSE))
        tried[0] = _moved(tried[0], np.log1p(-SOME_FALSE))
    choice = max(tried, key=lambda one: logsumexp([found.log_evidence for found in one[1]]) if one[1] else -np.inf)[0]
    assessed = [one for _, all_ in tried for one in all_]
    best = max(assessed, key=lambda one: one.log_evidence, default=None)
    pairs = []
    for found in assessed:
        if found.log_evidence > best.log_evidence - NEGLIGIBLE:
            pairs += _explain(found, values, errors, doubtful, offset)
    explanations, first = _with_firsts(pairs or _all_alike(len(values), offset))
    return MixtureCounts(explanations, choice, first, None if best is None else best.mixture)


def explain_mixture(
    mixture: Mixture, values, errors, doubtful=None, offset: int | None = None
) -> tuple[list[Explanation], np.ndarray]:
    """Return the explanations of cross-sections by one mixture, and the probabilities of its first number of atoms.

    Parameters
    ----------
    mixture
        Of the values.
    values, errors, doubtful, offset
        See `count_with_mixtures`.
    """
    found = assess_mixture(mixture, values, errors)
    return _with_firsts(list(_explain(found, values, errors, doubtful, offset)))


def _with_firsts(pairs) -> tuple[list[Explanation], np.ndarray]:
    explanations = [one for one, _ in pairs]
    logs = np.array([one.log_weight for one in explanations])
    return explanations, np.bincount([first for _, first in pairs], np.exp(logs - logsumexp(logs)))


def _assess(values, errors, kept, options) -> tuple[MixtureChoice, list[AssessedMixture]]:
    choice = choose_mixture(values[kept], **options)
    if options.get("n_components") is not None:
        fits = [choice.chosen] if choice.chosen is not None else []
    else:
        fits = [*choice.free[:2], *choice.regular]
    # the rule may have left lone columns out
    used = kept & np.isin(values, choice.values)
    found = []
    for fit in fits:
        one = assess_mixture(fit, values[used], errors[used], values, errors)
        bonus = CHOSEN if fit is choice.chosen else 0.0
        found.append(replace(one, log_evidence=one.log_evidence + bonus))
    return choice, found


def _moved(tried, by: float):
    choice, assessed = tried
    return choice, [replace(one, log_evidence=one.log_evidence + by) for one in assessed]


def _smallest(values) -> np.ndarray | None:
    """Columns that are smaller than the others and may be false."""
    most = int(MOST_FALSE * len(values))
    ordered = np.sort(values)
    if most < 1 or ordered[0] <= 0:
        return None
    gaps = ordered[1 : most + 1] / ordered[:most]
    where = int(np.argmax(gaps))
    if gaps[where] < GAP or ordered[where] > 0.5 * np.median(values):
        return None
    return values <= ordered[where]


def _explain(found: AssessedMixture, values, errors, doubtful, offset):
    """Explanations by one mixture: ways to step from component to component, times numbers of atoms of the first."""
    mixture = found.mixture
    if len(mixture.means) < 2:
        for one, first in _all_alike(len(values), offset):
            yield replace(one, log_weight=one.log_weight + found.log_evidence), first
        return
    ways = component_steps(mixture)
    total = logsumexp([way.log_weight for way in ways])
    for way in ways:
        steps, posterior, chance = _posterior(mixture, way, values, errors, doubtful)
        spread = found.spread * (1 - chance)[:, None]
        log_weight = found.log_evidence + way.log_weight - total
        thinnest = int(np.argmin(np.abs(steps)))
        if offset is None:
            first = first_count_posterior(way.ratio, way.error)
            first[0] *= _off_lattice_ratio(posterior[:, 1 + thinnest], doubtful)
            first = first / first.sum()
        else:
            first = np.eye(offset + 2)[offset + 1]
        for number in np.flatnonzero(first > 1e-4):
            if number == 0:
                seconds = _without_the_first(mixture, way)
                for second in np.flatnonzero(seconds > 1e-4):
                    # the others are no steps from what is no column
                    counts = np.where(steps > 0, np.maximum(steps - way.steps[1] + second, 0), 0)
                    logs = log_weight + np.log(first[0] * seconds[second])
                    yield Explanation(float(logs), np.concatenate([[0], counts]), posterior, spread), 0
                continue
            counts = np.concatenate([[0], np.maximum(steps + number, 0)])
            yield Explanation(float(log_weight + np.log(first[number])), counts, posterior, spread), int(number)


def _without_the_first(mixture: Mixture, way: ComponentSteps) -> np.ndarray:
    """Probabilities of the number of atoms of the second component, if the first is made of what is no column."""
    if len(mixture.means) < 3:
        return np.array([0.0, 1.0])
    units = (np.diff(mixture.means) / np.diff(way.steps))[1:3]
    found = first_count_posterior(mixture.means[1] / units.mean(), way.error)
    found[0] = 0.0
    return found / found.sum()


def _posterior(mixture: Mixture, way: ComponentSteps, values, errors, doubtful):
    """Steps of the components and of others beyond them, probabilities of no column and of each, and the former."""
    means, widths, steps = mixture.means, mixture.widths, way.steps
    last = (means[-1] - means[-2]) / (steps[-1] - steps[-2])
    above = int(np.clip(np.ceil((values.max() - means[-1]) / last), 1, MOST_EXTRA))
    below = int(np.clip(np.floor((means[0] - 0.2 * way.unit) / way.unit), 0, MOST_EXTRA))
    far, near = np.arange(1, above + 1), np.arange(-below, 0)
    all_steps = np.concatenate([near, steps, steps[-1] + far])
    all_means = np.concatenate([means[0] + near * way.unit, means, means[-1] + far * last])
    extra = np.concatenate([EXTRA_SPREAD * way.unit * -near, 0 * means, EXTRA_SPREAD * last * far])
    all_widths = np.concatenate([np.full(below, widths[0]), widths, np.full(above, widths[-1])])
    few = 0.25 / mixture.n_values
    weights = np.concatenate([np.full(below, few), mixture.weights, np.full(above, few)])
    variance = np.maximum((WIDER * all_widths) ** 2, (SURE_ERROR * errors[:, None]) ** 2) + extra**2
    with np.errstate(divide="ignore"):
        joint = np.log(weights) - 0.5 * np.log(2 * np.pi * variance)
    joint = joint - 0.5 * (values[:, None] - all_means) ** 2 / variance
    # brighter than all that: the last of them
    joint[values > all_means[-1], -1] += 0.5 * ((values - all_means[-1]) ** 2 / variance[:, -1])[values > all_means[-1]]
    logs = logsumexp(joint, axis=1)
    chance = no_column(values, np.exp(logs), means[0], doubtful)
    share = np.exp(joint - logs[:, None]) * (1 - chance)[:, None]
    return all_steps, np.column_stack([chance, share]), chance


def _off_lattice_ratio(share, doubtful) -> float:
    """How much likelier it is of columns that are none to be as often on sites of the lattice as those of a component.

    *share* is the probability of the component for each column. What is found where no column is may lie on sites that
    are empty, or anywhere.
    """
    if doubtful is None or not np.any(doubtful):
        return 1.0
    doubtful = np.asarray(doubtful, bool)
    rate = (np.sum((1 - share)[doubtful]) + 0.5) / (np.sum(1 - share) + 1)
    off, on = float(share[doubtful].sum()), float(share[~doubtful].sum())
    anywhere = off * np.log(0.5 / rate) + on * np.log(0.5 / (1 - rate))
    return float(0.5 + 0.5 * np.exp(np.clip(anywhere, -20, 20)))


def _all_alike(n: int, offset: int | None) -> list[tuple[Explanation, int]]:
    """Explanations of columns that are all alike: any number of atoms."""
    numbers = np.arange(1, MOST_ATOMS + 1) if offset is None else np.array([offset + 1])
    sure, nothing = np.ones((n, 1)), np.zeros((n, 0))
    logs = -np.log(numbers) - logsumexp(-np.log(numbers))
    return [
        (Explanation(float(log), np.array([number]), sure, nothing), int(number))
        for number, log in zip(numbers, logs, strict=True)
    ]
