"""Cerium atoms told in each column of ceria, beside what an ideal observer that knows the optics could tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.ideal_observer import ideal_observer
from benchmarks.columns_hrtem.moving_atoms import observer_of_moving_atoms
from benchmarks.columns_hrtem.scores import by_network, interval, outcomes
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.simulation.atoms.ceria import HIGHEST
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.training.columns.evaluate import score_columns

DOSES = (125.0, 500.0, 2000.0, 1e4)
OVERFOCUS = (20.0, 50.0, 90.0)  # Å
MOTION = 0.08  # Å: thermal motion of 0.05 to 0.10 and static disorder of up to 0.08, as in the structures
OPTICS = Optics(spherical_aberration=-9e4, fifth_order=5e7, focal_spread=30.0, deflection=0.18)


def print_occupancies(folder, count: int, model: ColumnMapper, per_structure: int = 2) -> None:
    """Numbers of cerium atoms told right, by focus and dose, the bound, and whether those said to be told are."""
    folder = images.fields(folder, "ceria", images.CERIA, count)
    heights = tuple(number for _, number in model.kinds)
    cerium = np.array([kind == "Ce" for kind, _ in model.outputs])
    print(f"CeO2 <110>, {count} structures, tilt up to 1.5 degrees: optics unknown to the network, known to the bound")
    print(f"  bound: of one who knows where all atoms are; moving: who does not of those of the column, {MOTION} Å rms")
    names = ("bound", "moving", "within 1", "calibration", "resolvable, right")
    widths = (6, 6, 8, 11, 18)
    told = " ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    print(f"  {'focus':>6} {'e/Å²':>6}  {'exact':24} {told}")
    lenses = {overfocus: [replace(OPTICS, defocus=-overfocus)] for overfocus in OVERFOCUS}
    bounds = ideal_observer(images.CERIA, "Ce", HIGHEST, lenses, DOSES, min(count, 8), per_structure)
    moving = observer_of_moving_atoms(images.CERIA, "Ce", HIGHEST, lenses, DOSES, MOTION, min(count, 8), per_structure)
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
                f"{moving[overfocus, dose]:6.3f} "
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
