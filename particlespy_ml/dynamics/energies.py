"""Fractions, free energies and barriers from tables of movies."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import norm

from particlespy_ml.dynamics import fractions
from particlespy_ml.dynamics.barriers import fit_arrhenius
from particlespy_ml.dynamics.sequences import sequences, transitions
from particlespy_ml.particles.table import METADATA_NODE


def confusion_matrix(table) -> np.ndarray | None:
    """Return the confusion matrix of the model that classified a table, shape (K, K), or None if it is not known."""
    values = np.asarray(table.metadata.get_item(f"{METADATA_NODE}.model.confusion_matrix", []), dtype=float)
    k = len(table.classes)
    return values.reshape(k, k) if values.size == k * k else None


def _fractions(table, confidence: float) -> tuple[fractions.Fractions, fractions.Fractions | None]:
    """Observed fractions over a series, and those corrected by the model's confusion matrix."""
    found = sequences(table, timed=False)
    observed = fractions.class_fractions(found.predicted, len(found.classes), confidence)
    confusion = confusion_matrix(table)
    return observed, None if confusion is None else fractions.correct_fractions(observed, confusion)


def series_fractions(table, confidence: float = 0.95):
    """Return the fraction of each class over a series with intervals; see `ParticleTable.class_fractions`."""
    import pandas as pd

    observed, corrected = _fractions(table, confidence)
    columns = {"class": table.classes, "fraction": observed.values, "low": observed.low, "high": observed.high}
    if corrected is not None:
        columns |= {"corrected": corrected.values, "corrected_low": corrected.low, "corrected_high": corrected.high}
    frame = pd.DataFrame(columns)
    frame.attrs["effective_samples"] = observed.effective_samples
    return frame


def free_energy_differences(table, temperature: float, confidence: float = 0.95):
    """Return differences of free energy between classes, F(to) - F(from) = -k T ln(f(to) / f(from)).

    They are those of a movie at equilibrium: of particles that change back and forth often, driven by temperature and
    not by the beam. Fractions are corrected by the model's confusion matrix where it is known.

    Parameters
    ----------
    table
        Classified table of a movie, tracked where frames have more than one particle.
    temperature
        In kelvin.
    confidence
        Confidence of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns ``from``, ``to``, ``difference``, ``low`` and ``high`` in eV.

    References
    ----------
    D. M. Foster et al., Nat. Commun. 9, 1323 (2018).
    """
    import pandas as pd

    observed, corrected = _fractions(table, confidence)
    difference, low, high = fractions.free_energy_differences(corrected or observed, temperature)
    rows, columns = np.nonzero(~np.eye(len(table.classes), dtype=bool))
    names = np.array(table.classes, dtype=object)
    return pd.DataFrame(
        {
            "from": names[rows],
            "to": names[columns],
            "difference": difference[rows, columns],
            "low": low[rows, columns],
            "high": high[rows, columns],
        }
    )


def fit_barriers(tables, temperatures, confidence: float = 0.95):
    """Return the activation energy of each transition from movies at several temperatures.

    Parameters
    ----------
    tables
        Classified tables of movies, one for each temperature.
    temperatures
        In kelvin.
    confidence
        Confidence of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each transition that was seen at two or more temperatures: ``from``, ``to``, ``energy`` (eV) and its
        bounds, ``log10_prefactor`` (of 1/s) and its bounds, and the reduced chi-square of the fit.

    Warns
    -----
    UserWarning
        Always: transitions that the beam drives have apparent barriers only.
    """
    import pandas as pd

    if len(tables) != len(temperatures):
        raise ValueError(f"Expected one temperature for each table, not {len(temperatures)} for {len(tables)}.")
    warnings.warn(
        "Barriers are apparent where the beam drives transitions: compare movies at different dose rates.",
        UserWarning,
        stacklevel=2,
    )
    found = [transitions(table, confidence) for table in tables]
    z = norm.ppf(0.5 + confidence / 2)
    classes, rows = found[0].classes, []
    for i, j in zip(*np.nonzero(~np.eye(len(classes), dtype=bool)), strict=True):
        rates = np.array([item.fit.rates[i, j] for item in found])
        low, high = (np.array([getattr(item.fit, name)[i, j] for item in found]) for name in ("low", "high"))
        seen = low > 0
        if len(np.unique(np.asarray(temperatures)[seen])) < 2:
            continue
        errors = np.log(high[seen] / low[seen]) / (2 * z)
        fit = fit_arrhenius(np.log(rates[seen]), errors, np.asarray(temperatures, float)[seen], confidence)
        row = {"from": classes[i], "to": classes[j], "energy": fit.energy}
        row |= {"energy_low": fit.energy_interval[0], "energy_high": fit.energy_interval[1]}
        row |= {"log10_prefactor": fit.log_prefactor / np.log(10)}
        row |= {
            f"log10_prefactor_{n}": v / np.log(10)
            for n, v in zip(("low", "high"), fit.log_prefactor_interval, strict=True)
        }
        rows.append({**row, "chi_square": fit.chi_square})
    return pd.DataFrame(rows)
