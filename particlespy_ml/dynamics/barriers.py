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
    covariance
        Of the logarithm of the prefactor and the energy, shape (2, 2).
    coverage_factor
        Half an interval over the standard error.
    """

    energy: float
    energy_interval: tuple[float, float]
    log_prefactor: float
    log_prefactor_interval: tuple[float, float]
    chi_square: float
    confidence: float
    covariance: np.ndarray
    coverage_factor: float

    def line(self, temperatures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the logarithm of the value at temperatures in kelvin, and the bounds of the band of confidence."""
        design = np.stack([np.ones(np.shape(temperatures)), -1 / (BOLTZMANN_EV * np.asarray(temperatures, float))], -1)
        value = design @ np.array([self.log_prefactor, self.energy])
        spread = self.coverage_factor * np.sqrt(np.einsum("...i,ij,...j->...", design, self.covariance, design))
        return value, value - spread, value + spread


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
        Confidence of the intervals. Where the points scatter more than their errors say, the errors are scaled up, so
        that intervals of 95 % cover in 97 % of the cases where the errors are right.

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
    return ArrheniusFit(
        energy=float(solution[1]),
        energy_interval=intervals[1],
        log_prefactor=float(solution[0]),
        log_prefactor_interval=intervals[0],
        chi_square=chi_square,
        confidence=confidence,
        covariance=covariance,
        coverage_factor=float(factor),
    )
