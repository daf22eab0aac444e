"""Free energies, barriers and enthalpies from tables of movies."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from particlespy_ml.dynamics import fractions
from particlespy_ml.dynamics.barriers import ArrheniusFit, fit_arrhenius
from particlespy_ml.dynamics.comparison import both_fractions, states_in_time
from particlespy_ml.dynamics.sequences import transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike


def free_energy_differences(table: BaseSignal, temperature: float, confidence: float = 0.95) -> pd.DataFrame:
    """Return differences of free energy between classes, F(to) - F(from) = -k T ln(f(to) / f(from)).

    They are those of a movie at equilibrium: of particles that change back and forth often, driven by temperature and
    not by the beam. Fractions are corrected by the model's confusion matrix where it is known. Unevenly spaced frames
    have the weights of `particlespy_ml.dynamics.fractions.class_fractions`.

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

    difference, low, high = _differences(table, temperature, confidence)
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


def _differences(table, temperature: float, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences of free energy in eV and their bounds, each of shape (K, K)."""
    observed, corrected = both_fractions(*states_in_time(table), table, confidence)
    return fractions.free_energy_differences(corrected or observed, temperature)


@dataclass(frozen=True, repr=False)
class TemperatureSeries:
    """Straight lines of logarithms against inverse temperature, as `fit_barriers` and `fit_enthalpies` find them.

    Parameters
    ----------
    kind
        "barriers": logarithms of rates in 1/s, by Arrhenius' law. "enthalpies": logarithms of ratios of fractions, by
        van 't Hoff's.
    classes
        Names of the classes.
    temperatures
        In kelvin, shape (N,).
    pairs
        Indices of the classes that each line leads from and to.
    values
        Logarithms, shape (lines, N); NaN where none was found.
    errors
        Their standard errors.
    fits
        A line for each pair.
    """

    kind: str
    classes: tuple[str, ...]
    temperatures: np.ndarray
    pairs: tuple[tuple[int, int], ...]
    values: np.ndarray
    errors: np.ndarray
    fits: tuple[ArrheniusFit, ...]

    def __repr__(self) -> str:
        text = self.to_dataframe().to_string(index=False, float_format="{:.3g}".format)
        name = "Barriers" if self.kind == "barriers" else "Enthalpies"
        return f"{name} in eV from {len(self.temperatures)} temperatures\n{text}"

    def to_dataframe(self):
        """Return one row for each line.

        Returns
        -------
        pandas.DataFrame
            ``from`` and ``to``; barriers: ``energy`` (eV), ``log10_prefactor`` (of 1/s); enthalpies: ``enthalpy`` (eV)
            and ``entropy`` (in Boltzmann's constants) of the second class above the first; each with its bounds, and
            the reduced chi-square of the line.
        """
        import pandas as pd

        barriers = self.kind == "barriers"
        energy, constant = ("energy", "log10_prefactor") if barriers else ("enthalpy", "entropy")
        unit = np.log(10) if barriers else 1.0
        columns = ["from", "to", energy, f"{energy}_low", f"{energy}_high"]
        columns += [constant, f"{constant}_low", f"{constant}_high", "chi_square"]
        rows = [
            [self.classes[i], self.classes[j], fit.energy, *fit.energy_interval]
            + [fit.log_prefactor / unit, *(bound / unit for bound in fit.log_prefactor_interval), fit.chi_square]
            for (i, j), fit in zip(self.pairs, self.fits, strict=True)
        ]
        return pd.DataFrame(rows, columns=columns)

    def plot(self, pairs=None, ax=None, figsize=None):
        """Draw the points with their intervals, and the lines with their bands, against inverse temperature.

        Parameters
        ----------
        pairs, ax, figsize
            See `particlespy_ml.plotting.arrhenius.plot_arrhenius`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from particlespy_ml.plotting.arrhenius import plot_arrhenius

        return plot_arrhenius(self, pairs, ax, figsize)


def fit_barriers(tables: Sequence[BaseSignal], temperatures: ArrayLike, confidence: float = 0.95) -> TemperatureSeries:
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
    TemperatureSeries
        A line for each transition that was seen at two or more temperatures. Prefactors are extrapolated to infinite
        temperature, so that their bounds often span orders of magnitude.

    Warns
    -----
    UserWarning
        Always: transitions that the beam drives have apparent barriers only.

    References
    ----------
    S. Arrhenius, Z. Phys. Chem. 4, 226 (1889).
    """
    temperatures = _temperatures(tables, temperatures)
    classes = _common_classes(tables)
    warnings.warn(
        "Barriers are apparent where the beam drives transitions: compare movies at different dose rates.",
        UserWarning,
        stacklevel=2,
    )
    found = [transitions(table, confidence).fit for table in tables]
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (np.stack([getattr(fit, name) for fit in found], -1) for name in ("low", "high"))
        seen = low > 0
        values = np.where(seen, np.log(np.stack([fit.rates for fit in found], -1)), np.nan)
        errors = np.where(seen, np.log(high / low), np.nan) / (2 * norm.ppf(0.5 + confidence / 2))
    pairs = [(i, j) for i in range(len(classes)) for j in range(len(classes)) if i != j]
    return _fit_lines("barriers", classes, temperatures, pairs, values, errors, confidence)


def fit_enthalpies(
    tables: Sequence[BaseSignal], temperatures: ArrayLike, confidence: float = 0.95
) -> TemperatureSeries:
    """Return differences of enthalpy and entropy between classes from movies at equilibrium at several temperatures.

    The ratio of the fractions of two classes is exp(-F / (k T)) with F = H - T S, so its logarithm against inverse
    temperature is a straight line. Fractions are corrected by the model's confusion matrix where it is known.

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
    TemperatureSeries
        A line for each two classes that were seen at two or more temperatures.

    References
    ----------
    J. H. van 't Hoff, Etudes de dynamique chimique (1884).
    """
    temperatures = _temperatures(tables, temperatures)
    classes = _common_classes(tables)
    shape = (len(classes), len(classes), len(temperatures))
    values, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    for n, (table, temperature) in enumerate(zip(tables, temperatures, strict=True)):
        difference, low, high = _differences(table, temperature, confidence)
        thermal = fractions.BOLTZMANN_EV * temperature
        with np.errstate(invalid="ignore"):
            spread = (high - low) / (2 * norm.ppf(0.5 + confidence / 2) * thermal)
        good = np.isfinite(difference) & np.isfinite(spread) & (spread > 0)
        values[good, n], errors[good, n] = -difference[good] / thermal, spread[good]
    pairs = [(i, j) for i in range(len(classes)) for j in range(i + 1, len(classes))]
    return _fit_lines("enthalpies", classes, temperatures, pairs, values, errors, confidence)


def _temperatures(tables, temperatures) -> np.ndarray:
    if len(tables) != len(temperatures):
        raise ValueError(f"Expected one temperature for each table, not {len(temperatures)} for {len(tables)}.")
    temperatures = np.asarray(temperatures, dtype=float)
    if not (temperatures > 0).all() or len(np.unique(temperatures)) < 2:
        raise ValueError(f"temperatures={temperatures.tolist()}; expected two or more different ones, in kelvin.")
    return temperatures


def _common_classes(tables) -> tuple[str, ...]:
    classes = {table.classes for table in tables}
    if len(classes) != 1:
        raise ValueError(f"Expected tables of the same classes, not {' and '.join(map(str, sorted(classes)))}.")
    return classes.pop()


def _fit_lines(kind, classes, temperatures, pairs, values, errors, confidence) -> TemperatureSeries:
    """Lines of the pairs with values at two or more temperatures; *values* has the shape (K, K, N)."""
    good = np.isfinite(values) & np.isfinite(errors)
    pairs = tuple((i, j) for i, j in pairs if len(np.unique(temperatures[good[i, j]])) > 1)
    fits = tuple(fit_arrhenius(values[i, j], errors[i, j], temperatures, confidence) for i, j in pairs)
    chosen = tuple(np.array(pairs, dtype=int).reshape(-1, 2).T)
    return TemperatureSeries(kind, classes, temperatures, pairs, values[chosen], errors[chosen], fits)
