"""Cerium atoms told in each column of ceria, beside what an ideal observer that knows the optics could tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.scores import by_network, interval, outcomes
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.simulation.atoms.ceria import HIGHEST
from particlespy_ml.simulation.atoms.column_structures import draw_structure
from particlespy_ml.simulation.atoms.projected import GHOST
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave
from particlespy_ml.training.columns.evaluate import score_columns

DOSES = (125.0, 500.0, 2000.0, 1e4)
OVERFOCUS = (20.0, 50.0, 90.0)  # Å
OPTICS = Optics(spherical_aberration=-9e4, fifth_order=5e7, focal_spread=30.0, deflection=0.18)


def print_occupancies(folder, count: int, model: ColumnMapper, per_structure: int = 2) -> None:
    """Numbers of cerium atoms told right, by focus and dose, the bound, and whether those said to be told are."""
    folder = images.fields(folder, "ceria", images.CERIA, count)
    heights = tuple(number for _, number in model.kinds)
    cerium = np.array([kind == "Ce" for kind, _ in model.outputs])
    print(f"CeO2 <110>, {count} structures, tilt up to 1.5 degrees: optics unknown to the network, known to the bound")
    names = ("bound", "within 1", "calibration", "resolvable, right")
    print(f"  {'focus':>6} {'e/Å²':>6}  {'exact':24} {names[0]:>6} {names[1]:>8} {names[2]:>11} {names[3]:>18}")
    bounds = ideal_observer(min(count, 8), per_structure)
    for overfocus in OVERFOCUS:
        for dose in DOSES:
            focus = {"defocus": ((1.0, -overfocus - 5, -overfocus + 5),)}
            found = outcomes(
                images.recordings(folder, count, dose, images.CERIA_MICROSCOPE, **focus), by_network(model), heights
            )
            of_cerium = [_of(one, cerium) for one in found]
            scores = score_columns(of_cerium)
            share, right = resolvable(of_cerium)
            print(
                f"  {overfocus / 10:4.0f}nm {dose:6g}  {interval(scores['exact']):24} {bounds[overfocus, dose]:6.3f} "
                f"{scores['within_one']['value']:8.3f} {scores['calibration_error']:11.3f} {share:9.3f}, {right:.3f}"
            )
            every = score_columns(found)
            print(f"  {'':13}  all columns: F1 {interval(every['f1'])}, recall {every['recall']['value']:.3f}")


def _of(one, chosen: np.ndarray):
    """Outcome of the columns of some outputs, whose probabilities are those among these outputs."""
    kept = chosen[one.heights - 1]
    posterior = np.where(chosen, one.posterior[kept], 0)
    posterior = posterior / np.maximum(posterior.sum(1, keepdims=True), 1e-12)
    return replace(
        one,
        found=int(kept.sum()),
        heights=one.heights[kept],
        missed=one.missed[chosen[one.missed - 1]],
        posterior=posterior,
        misplacement=one.misplacement[kept],
        errors=one.errors[kept],
    )


def resolvable(found: list) -> tuple[float, float]:
    """Share of the columns whose number of atoms is said to be told, and share of these that are right."""
    from particlespy_ml.columns.by_network import LARGEST_ERROR

    posterior = np.concatenate([one.posterior for one in found])
    true = np.concatenate([one.heights for one in found])
    numbers = np.arange(1, posterior.shape[1] + 1)
    expected = posterior @ numbers
    error = np.sqrt(np.maximum(posterior @ numbers**2 - expected**2, 0))
    told = error < LARGEST_ERROR
    right = (posterior.argmax(1) + 1 == true)[told]
    return float(told.mean()), float(right.mean()) if told.any() else np.nan


def ideal_observer(structures: int, per_structure: int, draws: int = 400, seed: int = 9) -> dict:
    """Share of the columns whose number of atoms an ideal observer tells, for each focus and dose.

    It knows all but the number of atoms of one column: optics, and every other atom. Atoms are taken off and put onto
    the upper end of the column.
    """
    recipe, rng = images.CERIA, np.random.default_rng(seed)
    lenses = {one: replace(OPTICS, defocus=-one) for one in OVERFOCUS}
    right: dict[tuple, list[float]] = {(one, dose): [] for one in OVERFOCUS for dose in DOSES}
    for index in range(structures):
        atoms, told = draw_structure(recipe, np.random.default_rng([seed, index]))
        real = atoms.symbols != GHOST
        positions = atoms.positions + [recipe.edge / 2, recipe.edge / 2, 0]
        columns = np.flatnonzero((atoms.kinds == "Ce") & (atoms.heights > 0) & (np.hypot(*atoms.places.T) < 15))
        spacing = told["lattice_constant"] / np.sqrt(2)
        for column in rng.choice(columns, min(per_structure, len(columns)), replace=False):
            changed = (_with_height(atoms, positions, real, column, n, spacing) for n in range(1, HIGHEST + 1))
            settings = {"sampling": 0.14, "slice_thickness": 2.0, "pixels": 256}
            waves = [simulate_exit_wave(*one, recipe.edge, **settings) for one in changed]
            true = int(np.clip(atoms.heights[column], 1, HIGHEST)) - 1
            for overfocus, optics in lenses.items():
                shown = np.stack([image_intensity(wave, recipe.edge, optics) for wave in waves])
                for dose in DOSES:
                    share = told_right(shown, true, dose, recipe.edge, draws, rng)
                    right[overfocus, dose].append(share)
    return {key: float(np.mean(values)) for key, values in right.items()}


def told_right(shown: np.ndarray, true: int, dose: float, edge: float, draws: int, rng) -> float:
    """Share of images drawn from one of some expected images, shape (n, pixels, pixels), that are told for its own.

    Where counts are many the logarithms of the likelihoods are normal, and so few numbers stand for an image.
    """
    area = (edge / shown.shape[1]) ** 2
    away = ((shown - shown[true]) / np.sqrt(shown[true])).reshape(len(shown), -1) * np.sqrt(dose * area)
    shared = away @ away.T
    values, vectors = np.linalg.eigh(shared)
    noise = rng.normal(size=(draws, len(shown))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    likelihood = noise - 0.5 * np.diag(shared)
    return float((likelihood.argmax(1) == true).mean())


def _with_height(atoms, positions, real, column: int, height: int, spacing: float):
    """Symbols and positions of the atoms with another number of them in one column."""
    own = np.flatnonzero(real & (atoms.column == column))
    own = own[np.argsort(positions[own, 2])]
    gone = own[height:]
    keep = real.copy()
    keep[gone] = False
    top = positions[own[-1]]
    more = [top + [0, 0, spacing * (k + 1)] for k in range(height - len(own))]
    symbols = np.concatenate([atoms.symbols[keep], np.full(len(more), "Ce")])
    return symbols, np.concatenate([positions[keep], np.array(more).reshape(-1, 3)])
