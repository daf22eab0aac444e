"""Steps of the fit of Gaussian columns: Gauss-Newton with Levenberg's damping, weights that follow the model."""

from __future__ import annotations

import numpy as np

from particlespy_ml.columns.fit.equations import OUTSIDE, Equations, factorised
from particlespy_ml.columns.fit.errors import diagonal_matrix, standard_errors
from particlespy_ml.columns.fit.gaussians import ColumnFit, typical_volume
from particlespy_ml.quality.noise import Noise, estimate_noise

SMALLEST_SIGNAL = 0.02  # of the median height of a column
REFRESH = (1, 2, 4, 8, 16, 32)  # steps at which weights and normal matrix are made anew
SMALL_GAIN = 0.02  # of the sum of squares over variances


class Problem(Equations):
    """One fit."""

    def _state(self):
        return self.positions.copy(), self.widths.copy(), self.volumes.copy(), self.coefficients.copy()

    def _move(self, state, local: np.ndarray, glob: np.ndarray) -> None:
        positions, widths, volumes, coefficients = state
        step = local.reshape(self.n, -1)
        limit = 0.5 * self.first_width
        beyond = OUTSIDE * self.first_width
        self.positions = np.clip(
            positions + np.clip(step[:, 1:3], -limit, limit), -beyond, np.array(self.image.shape) - 1 + beyond
        )
        self.volumes = volumes + step[:, 0]
        if self.shared:
            change, glob = np.full(self.n, glob[0]), glob[1:]
        else:
            change = step[:, 3]
        low, high = 0.5 * self.first_width, 2 * self.first_width
        self.widths = np.clip(widths + np.clip(change, -0.2 * widths, 0.2 * widths), low, high)
        self.coefficients = coefficients + glob
        self._place_windows()

    def _cost(self, weight, model) -> float:
        pull = self.positions - self.start
        prior = np.sum(pull**2) / self.tie**2
        if self.shared:
            prior += (self.widths[0] - self.first_width) ** 2 / self.width_tie**2
        else:
            prior += np.sum((self.widths - np.median(self.widths)) ** 2) / (0.3 * self.first_width) ** 2
        return float(np.sum(weight * (self.padded_image - model) ** 2) + prior)

    def solve(self, noise: Noise | None, max_iterations: int) -> ColumnFit:
        """Run Gauss-Newton steps with Levenberg's damping; the weights follow the model."""
        weight = self.padded_region / self._flat_variance()
        self._solve_linear(weight)
        model = self._model()
        found = noise if noise is not None else self._estimate(model)
        damping, converged, iteration, fresh = 1e-4, False, 0, 0
        factor = border = corner = None
        for iteration in range(1, max_iterations + 1):
            if factor is None or iteration in REFRESH:
                if noise is None:
                    found = self._estimate(model)
                weight = self._weight(found, model)
                fresh = iteration
            g, h = self._own_vectors()
            if factor is None or fresh == iteration:
                local, border, corner = self._normal_matrix(weight, g, h)
                self._add_width_prior(corner)
                diagonal = local.diagonal()
                damped = local + diagonal_matrix(self._prior_diagonal() + damping * diagonal + 1e-12 * diagonal.max())
                factor = factorised(damped)
            residual = weight * (self.padded_image - model)
            right = self._contract(residual, g, h).ravel() + self._prior_pull()
            right_global = self._contract_shared(residual, g, h)
            if self.shared:
                right_global[0] += (self.first_width - self.widths[0]) / self.width_tie**2
            step_global = np.zeros(border.shape[1])
            if border.shape[1]:
                inner = factor.solve(border)
                schur = corner - border.T @ inner
                step_global = np.linalg.lstsq(schur, right_global - inner.T @ right, rcond=1e-12)[0]
            step = factor.solve(right - border @ step_global)
            before, cost = self._state(), self._cost(weight, model)
            self._move(before, step, step_global)
            model = self._model()
            after = self._cost(weight, model)
            if not after <= cost * (1 + 1e-12):
                self.positions, self.widths, self.volumes, self.coefficients = before
                self._place_windows()
                model, factor = self._model(), None
                damping = max(damping * 30, 1e-3)
                if damping > 1e6:
                    break
                continue
            damping = max(damping / 5, 1e-9)
            moved = np.abs(self.positions - before[0]).max()
            widened = np.abs(self.widths - before[1]).max()
            # a change of the cost by so little is a small part of a standard error for every parameter
            if iteration > 3 and (max(moved, widened) < 2e-3 * self.first_width or cost - after < SMALL_GAIN):
                converged = True
                break
        if noise is None:
            found = self._estimate(model)
        weight = self._weight(found, model)
        self._solve_linear(weight)
        return self._result(found, iteration, converged)

    def solve_volumes(self, noise: Noise | None, start: tuple[np.ndarray, np.ndarray] | None = None) -> ColumnFit:
        """Solve for volumes and background, with weights that follow the model; from volumes and a model, if any."""
        weight, rounds = self.padded_region / self._flat_variance(), 3
        if start is not None:
            self.volumes, model = start[0], np.pad(start[1], self.pad, mode="edge")
            weight, rounds = self._weight(noise if noise is not None else self._estimate(model), model), 1
        for _ in range(rounds):
            self._solve_linear(weight)
            model = self._model()
            found = noise if noise is not None else self._estimate(model)
            weight = self._weight(found, model)
        self._solve_linear(weight)
        return self._result(found, 3, True, volumes_alone=True)

    def _add_width_prior(self, corner: np.ndarray) -> None:
        if self.shared:
            corner[0, 0] += 1 / self.width_tie**2

    def _flat_variance(self) -> float:
        return max(float(np.var(self.image[self.region])), 1e-300)

    def _weight(self, noise: Noise, model: np.ndarray) -> np.ndarray:
        signal = model - min(0.0, float(model[self.padded_region].min()))
        height = typical_volume(self.volumes / (2 * np.pi * self.widths**2))
        smallest = SMALLEST_SIGNAL * max(height, 0)
        variance = noise.variance(signal if noise.floor > 0 else model, smallest)
        least = 1e-10 * self._flat_variance()
        return self.padded_region / np.maximum(variance, least)

    def _estimate(self, model: np.ndarray) -> Noise:
        inside = self.padded_region
        return estimate_noise((self.padded_image - model)[inside], model[inside])

    def _result(self, noise: Noise, iterations: int, converged: bool, volumes_alone: bool = False) -> ColumnFit:
        model = self._model()
        weight = self._weight(noise, model)
        g, h = self._own_vectors()
        width = float(self.widths.mean())
        if volumes_alone:
            local = self._local_part(weight, g, h, volumes_alone=True)
            border, corner = self._border_of_background(weight, g, h, True), self._corner_of_background(weight)
            prior, each = np.full(self.n, 1e-12 * local.diagonal().max()), 1
        else:
            local, border, corner = self._normal_matrix(weight, g, h)
            self._add_width_prior(corner)
            prior, each = self._prior_diagonal() + 1e-12 * local.diagonal().max(), 3 if self.shared else 4
        errors, width_error = standard_errors(
            local + diagonal_matrix(prior), border, corner, self.positions, width, each
        )
        if volumes_alone:
            errors, width_error = np.pad(errors, ((0, 0), (0, 3))), 0.0
        inside = self.padded_region
        chi2 = float((weight * (self.padded_image - model) ** 2)[inside].mean())
        cut = slice(self.pad, -self.pad)
        return ColumnFit(
            positions=self.positions,
            volumes=self.volumes,
            widths=self.widths,
            position_errors=errors[:, 1:3],
            volume_errors=errors[:, 0],
            width_errors=np.full(self.n, width_error) if self.shared else errors[:, 3],
            background=self.background_under(self._inside(self.positions)),
            region=self.region,
            model=model[cut, cut],
            noise=noise,
            chi2=chi2,
            iterations=iterations,
            converged=converged,
        )
