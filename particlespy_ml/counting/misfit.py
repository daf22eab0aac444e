"""Signs that a library is not that of the cross-sections that are counted with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from particlespy_ml.counting.library import LibraryCounts, _fit_prior

EVIDENCE = 6.0  # log-likelihood by which another factor has to fit better: 3.5 standard deviations
CHANGED = 0.05  # of the columns that it has to count otherwise
OFFSET = (
    0.25  # of an increment: columns of a number of atoms that are further from the library on average may be others
)
RESOLVED = 0.25  # of an increment: errors have to be below that for an offset to mean anything
CERTAIN = 3e-7  # probability of an offset by chance, as of 5 standard deviations
FEWEST_EACH = 4
FEWEST_COLUMNS = 8
STEP = 0.01  # of the factors tried
SCATTERS = (0.01, 0.06, 0.1)  # tried besides the one that was fitted, so that scatter is not taken for a misfit


@dataclass(frozen=True)
class LibraryFit:
    """How well a library fits.

    Parameters
    ----------
    factor
        What the library had best be multiplied by.
    evidence
        Log-likelihood gained by that factor.
    changed
        Fraction of the columns that it counts otherwise.
    offset
        Largest mean distance of the columns of a number of atoms from the library, in increments, of those resolved.
    reason
        Why the library does not fit; empty where nothing speaks against it.
    """

    factor: float
    evidence: float
    changed: float
    offset: float
    reason: str


def check_library(
    values, errors, cross_sections, counts: LibraryCounts, factors: tuple[float, float] = (0.8, 1.25)
) -> LibraryFit:
    """Look for a sign that cross-sections are none of a library's.

    Two signs are looked for: that the library times a factor fits better and counts otherwise, as where dose or
    detector are wrong; and that the columns of some number of atoms lie off its cross-section, as where element, zone
    axis or thickness are wrong. Where increments are not resolved neither shows, and a library is believed.

    Parameters
    ----------
    values, errors, cross_sections
        See `particlespy_ml.counting.library.count_with_library`.
    counts
        What it returned for them.
    factors
        Range of the factors tried.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.library import count_with_library
    >>> from particlespy_ml.counting.misfit import check_library
    >>> values = np.repeat([1.0, 2.0, 3.0, 4.0], 20) + 0.05 * np.random.default_rng(0).normal(size=80)
    >>> library, errors = 0.9 * np.arange(1.0, 6.0), np.full(80, 0.05)
    >>> found = check_library(values, errors, library, count_with_library(values, errors, library))
    >>> round(found.factor, 1)
    1.1
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    known = np.asarray(cross_sections, float)
    if len(values) < FEWEST_COLUMNS:
        return LibraryFit(1.0, 0.0, 0.0, 0.0, "")
    scatters = {float(counts.scatter), *SCATTERS}
    grid = np.exp(np.arange(np.log(factors[0]), np.log(factors[1]) + STEP / 2, STEP))
    grid = np.append(grid, 1.0)
    tried = [max((_run(values, errors, f * known, s) for s in scatters), key=lambda run: run[0]) for f in grid]
    best = int(np.argmax([run[0] for run in tried]))
    evidence = tried[best][0] - tried[-1][0]
    changed = float(np.mean(tried[best][1] != counts.posterior.argmax(1)))
    factor, reason = float(grid[best]), ""
    offset, number = _largest_offset(values, errors, known, counts.posterior.argmax(1))
    if evidence > EVIDENCE and changed > CHANGED:
        reason = (
            f"times {factor:.2f} the library fits better (by {evidence:.0f} in log-likelihood) and counts "
            f"{changed:.0%} of the columns otherwise"
        )
    elif abs(offset) > OFFSET:
        reason = f"columns counted as {number} atoms lie {offset:+.2f} increments off the library on average"
    return LibraryFit(factor, float(evidence), changed, offset, reason)


def _run(values, errors, known, scatter: float) -> tuple[float, np.ndarray]:
    _, likelihood, posterior = _fit_prior(values, errors, known, scatter, None, 25)
    return likelihood, posterior.argmax(1)


def _largest_offset(values, errors, known, chosen) -> tuple[float, int]:
    """Largest mean residual of a number of atoms in increments, where it is resolved and certain; and that number."""
    worst, number = 0.0, 0
    increments = np.gradient(known)
    for n in np.unique(chosen):
        own = chosen == n
        if own.sum() < FEWEST_EACH or np.median(errors[own]) > RESOLVED * increments[n]:
            continue
        residual = (values[own] - known[n]) / increments[n]
        # few columns may be near to one another by chance
        needed = student.isf(CERTAIN, own.sum() - 1) * residual.std(ddof=1) / np.sqrt(own.sum())
        if abs(residual.mean()) > max(abs(worst), needed):
            worst, number = float(residual.mean()), int(n) + 1
    return worst, number
