"""Accuracy of the classifier on held-out fields, in the imaging range of the literature and out of it."""

from __future__ import annotations

from pathlib import Path

from particlespy_ml.training.card import read_model
from particlespy_ml.training.evaluate_crystallinity import evaluate_crystallinity


def main(folder: Path, cache: Path, realisations: int) -> dict:
    """Print the tables and return them."""
    network, card = read_model(folder)
    results = evaluate_crystallinity(network, card, cache, realisations)
    row = results["nominal"]["10000"]["three_class"]
    print(f"Crystallinity: {row['structures']} held-out particles, {row['n']} images for each row over all of them")
    print("  paper's optics, 300 kV, 1 to 3 nm      two classes            three classes")
    for dose, kinds in results["paper_range"].items():
        for name, part in kinds.items():
            print(f"  {float(dose):>8.0f} e/Å², {name:<20}  {text(part['two_class'])}  {text(part['three_class'])}")
    print("  Gumbiowski 2024 (ResNet-101, own simulations): 0.987 and 0.963")
    for title, key in (
        ("paper's optics, all beams and sizes", "nominal"),
        ("every fault of the training", "harsh"),
        ("defocus, 1e4 e/Å²", "by_defocus_at_10000"),
        ("diameter, 1e4 e/Å²", "by_size_at_10000"),
        ("support, 1e4 e/Å²", "by_support_at_10000"),
    ):
        print(f"  {title}")
        for name, part in results[key].items():
            print(f"  {name:>20}  {text(part['two_class'])}  {text(part['three_class'])}")
    print("  kind, paper's optics, 1e4 e/Å²: share with the right class of three")
    for name, part in results["by_kind_at_10000"].items():
        print(f"  {name:>20}  {text(part)}  {part['structures']} particles")
    if "overlapping_at_10000" in results:
        print(f"  overlapping others    {text(results['overlapping_at_10000'])}")
    print("  precision and recall, paper's optics, 1e4 e/Å²")
    for name, part in results["precision_recall_at_10000"].items():
        cells = (text({**part[what], "accuracy": part[what]["value"]}) for what in ("precision", "recall"))
        print(f"  {name:>20}  {'  '.join(cells)}")
    print("  confusion (rows: truth), paper's optics, 1e4 e/Å²")
    for name, shares in zip(card["classes"], results["confusion"]["10000"], strict=True):
        print(f"  {name:>20}  {'  '.join(f'{share:.3f}' for share in shares)}")
    for name, part in results["selective"].items():
        low, high = part["interval"]
        print(f"  above min_probability, {name}: accuracy {part['accuracy']:.3f} ({low:.3f} to {high:.3f}), "
              f"coverage {part['coverage']:.3f}")  # fmt: skip
    print(f"  expected calibration error: {results['calibration_error_harsh']:.3f} (every fault, 1e3 e/Å² and more), "
          f"{results['calibration_error_nominal_10000']:.3f} (paper's optics, 1e4 e/Å²)\n")  # fmt: skip
    return results


def text(part: dict) -> str:
    """Accuracy with its interval."""
    return f"{part['accuracy']:.3f} ({part['interval'][0]:.3f} to {part['interval'][1]:.3f})"
