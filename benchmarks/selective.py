"""The lines in which benchmarks of classifiers say what accuracy came of the one that was asked for."""

from __future__ import annotations


def print_selective(name: str, told: dict) -> None:
    """Print what `particlespy_ml.training.selective.calibrate_selective` told of a model."""
    print(f"{name}: accuracy (95 %) of particles that have a class, and their share, of structures never seen")
    for condition, targets in told.items():
        for target, by_dose in targets.items():
            texts = []
            for dose, one in by_dose.items():
                told_of = "none"
                if "accuracy" in one:
                    told_of = f"{one['accuracy']:.3f} ({one['interval'][0]:.3f} to {one['interval'][1]:.3f})"
                texts.append(f"{float(dose):.0e} e/Å²: {told_of} of {one['coverage']:.2f}")
            print(f"  {condition:16} asked {target:4}  {', '.join(texts)}")
