"""Rates at several temperatures to activation energies and enthalpy differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from particlespy_ml.dynamics.fractions import BOLTZMANN_EV


@dataclass(frozen=True)
class ArrheniusFit:
    """A straight line of the logarithm of a rate, or of a ratio, against inverse temperature.

    Parameters
    ----------
    energy
        Activation energy (or enthalpy difference) in eV.
    energy_interval
        Its confidence bounds.
    log_prefactor
        Natural logarithm of the prefactor (or entropy difference over Boltzmann's constant).
    log_prefactor_interval
        Its confidence bounds.
    chi_square
        Reduced chi-square of the fit; NaN for two temperatures.
    confidence
        Confidence of the bounds.
    """

    energy: float
    energy_interval: tuple[float, float]
    log_prefactor: float
    log_prefactor_interval: tuple[float, float]
    chi_square: float
    confidence: float


def fit_arrhenius(
    values: np.ndarray, errors: np.ndarray, temperatures: np.ndarray, confidence: float = 0.95
) -> ArrheniusFit:
    """Fit ln(value) = ln(prefactor) - E / (k T) by weighted least squares.

    Parameters
    ----------
    values
        Natural logarithms of rates, or of equilibrium constants (van 't Hoff), one for each temperature.
    errors
        Their standard errors.
    temperatures
        In kelvin.
    confidence
        Confidence of the intervals. Where the points scatter more than their errors say, the errors are scaled up.

    Raises
    ------
    ValueError
        If there are fewer than two different temperatures with finite values.

    References
    ----------
    S. Arrhenius, Z. Phys. Chem. 4, 226 (1889). J. H. van 't Hoff, Etudes de dynamique chimique (1884).
    """
    values, errors, temperatures = (np.asarray(array, dtype=float) for array in (values, errors, temperatures))
    good = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if len(np.unique(temperatures[good])) < 2:
        raise ValueError(
            f"A barrier needs rates at two or more temperatures; {len(np.unique(temperatures[good]))} of "
            f"{len(temperatures)} temperatures have one with an error above zero."
        )
    if not (temperatures > 0).all():
        raise ValueError(f"temperatures={temperatures.tolist()}; expected kelvin above zero.")
    inverse = 1 / (BOLTZMANN_EV * temperatures[good])
    design = np.column_stack([np.ones(good.sum()), -inverse]) / errors[good, None]
    solution, *_ = np.linalg.lstsq(design, values[good] / errors[good], rcond=None)
    covariance = np.linalg.inv(design.T @ design)
    freedom = int(good.sum()) - 2
    chi_square = np.nan
    factor = norm.ppf(0.5 + confidence / 2)
    if freedom > 0:
        chi_square = float(np.sum((values[good] / errors[good] - design @ solution) ** 2) / freedom)
        if chi_square > 1:
            covariance *= chi_square
            factor = t.ppf(0.5 + confidence / 2, freedom)
    spread = factor * np.sqrt(np.diag(covariance))
    intervals = [(float(v - s), float(v + s)) for v, s in zip(solution, spread, strict=True)]
    return ArrheniusFit(float(solution[1]), intervals[1], float(solution[0]), intervals[0], chi_square, confidence)
