"""Evaluations as lines of text."""

from __future__ import annotations

from collections.abc import Iterator


def isomer_lines(results: dict) -> Iterator[str]:
    """Results of an evaluation of a classifier of isomers."""
    yield "dose (e/Å²)  accuracy, 95 % interval (well-run microscope)  accuracy, 95 % interval (every fault)"
    for dose, row in results["nominal"].items():
        yield f"{dose:>11}  {_text(row):<46}  {_text(results['harsh'][dose])}"
    for name in ("by_size", "by_pixel_size", "by_source_size", "by_off_centring"):
        row_of = {key: f"{part['accuracy']:.3f}" for key, part in results[f"{name}_at_1000"].items()}
        yield f"{name.replace('_', ' ')}, 1e3 e/Å²: " + ", ".join(f"{key}: {text}" for key, text in row_of.items())
    nominal, harsh = results["calibration_error_nominal_1000"], results["calibration_error_harsh"]
    yield f"expected calibration error: {nominal:.3f} (well-run, 1e3 e/Å²), {harsh:.3f} (every fault, from 100 e/Å²)"
    for dose, part in results["out_of_range"].items():
        low, high = part["interval"]
        yield f"out of range, {dose} e/Å²: AUROC {part['auroc']:.3f}, {low:.3f} to {high:.3f}"
    yield f"{row['structures']} structures, {row['n']} images a dose"


def crystallinity_lines(results: dict) -> Iterator[str]:
    """Results of an evaluation of a classifier of crystallinity."""
    row = results["nominal"]["10000"]["three_class"]
    yield f"Crystallinity: {row['structures']} held-out particles, {row['n']} images for each row over all of them"
    title = "paper's optics, 300 kV, 1 to 3 nm"
    yield f"  {title:>34}  {'two classes':<24}  three classes"
    for dose, kinds in results["paper_range"].items():
        for name, part in kinds.items():
            yield _both(f"{float(dose):.0f} e/Å², {name}", part)
    yield "  Gumbiowski 2024 (ResNet-101, on its own simulations): 0.987 and 0.963"
    for title, key in (
        ("dose (e/Å²), paper's optics, all beams and sizes", "nominal"),
        ("dose (e/Å²), every fault of the training", "harsh"),
        ("defocus, 1e4 e/Å²", "by_defocus_at_10000"),
        ("half of the paper's range of defocus, 1e4 e/Å²", "by_half_of_defocus_at_10000"),
        ("diameter, 1e4 e/Å²", "by_size_at_10000"),
        ("support, 1e4 e/Å²", "by_support_at_10000"),
    ):
        yield f"  {title}"
        for name, part in results[key].items():
            yield _both(name, part)
    for title, doses in results.get("crystalline_supports", {}).items():
        yield f"  dose (e/Å²), on oxides that were never trained on, {title}"
        for name, part in doses.items():
            yield _both(name, part)
    yield "  kind, paper's optics, 1e4 e/Å²: share with the right class of three"
    for name, part in results["by_kind_at_10000"].items():
        yield f"  {name:>34}  {_text(part)}  {part['structures']} particles"
    if "overlapping_at_10000" in results:
        yield f"  {'overlapping others':>34}  {_text(results['overlapping_at_10000'])}"
    yield "  precision and recall, paper's optics, 1e4 e/Å²"
    for name, part in results["precision_recall_at_10000"].items():
        cells = [_text({**part[what], "accuracy": part[what]["value"]}) for what in ("precision", "recall")]
        yield f"  {name:>34}  {cells[0]:<24}  {cells[1]}"
    yield "  confusion (rows: truth), paper's optics, 1e4 e/Å²"
    names = results["precision_recall_at_10000"]
    for name, shares in zip(names, results["confusion"]["10000"], strict=True):
        yield f"  {name:>34}  {'  '.join(f'{share:.3f}' for share in shares)}"
    for name, part in results["selective"].items():
        low, high = part["interval"]
        yield f"  above min_probability, {name}: accuracy {part['accuracy']:.3f} ({low:.3f} to {high:.3f}), " + (
            f"coverage {part['coverage']:.3f}"
        )
    harsh, nominal = results["calibration_error_harsh"], results["calibration_error_nominal_10000"]
    yield f"  expected calibration error: {harsh:.3f} (every fault, 1e3 e/Å² and more), {nominal:.3f} (paper's optics)"


def segmentation_lines(results: dict) -> Iterator[str]:
    """Results of an evaluation of a network that finds particles."""
    for name, doses in results.items():
        row = next(iter(doses.values()))
        yield f"Particles, {name}: {row['frames']} held-out fields, {row['particles']} particles"
        yield f"  {'dose (e/Å²)':>11}  {'IoU of the masks':<24}  F1 at an IoU of 0.5"
        for dose, part in doses.items():
            cells = [_text({**part[what], "accuracy": part[what]["value"]}) for what in ("iou", "f1")]
            yield f"  {dose:>11}  {cells[0]:<24}  {cells[1]}"


def multiscale_lines(results: dict) -> Iterator[str]:
    """Results of an evaluation of a network that finds particles on any support."""
    named = {"f1": "F1 at an IoU of 0.5", "f1_above_8_px": "of more than 8 pixels", "f1_of_all": "seen or not"}
    yield "  ".join([f"  {'micrographs':>20}", *(f"{text:<24}" for text in named.values()), "IoU of the masks"])
    for name, part in results["conditions"].items():
        cells = [_text({**part[what], "accuracy": part[what]["value"]}) for what in (*named, "iou")]
        yield "  ".join([f"  {name:>20}", *(f"{cell:<24}" for cell in cells)])
    yield f"  in frames without particles: {results['false_per_empty_frame']:.2f} a frame"
    yield f"  calibration error of the detection probability: {results['calibration_error']:.3f}"


def _both(name: str, part: dict) -> str:
    return f"  {name:>34}  {_text(part['two_class']):<24}  {_text(part['three_class'])}"


def _text(part: dict) -> str:
    """A share with its interval."""
    return f"{part['accuracy']:.3f} ({part['interval'][0]:.3f} to {part['interval'][1]:.3f})"


def column_lines(results: dict) -> Iterator[str]:
    """Results of an evaluation of a network that finds columns."""
    row = next(iter(results.values()))
    yield f"Columns, every fault: {row['images']} held-out fields, {row['columns']} columns"
    yield f"  {'dose (e/Å²)':>11}  {'F1':<24}  {'heights exact':<24}  {'places (Å)':>10}  {'calibration':>11}"
    for dose, part in results.items():
        cells = [_text({**part[what], "accuracy": part[what]["value"]}) for what in ("f1", "exact")]
        places, calibration = part["misplacement"], part["calibration_error"]
        numbers = [f"{value:.3f}" if value is not None else "" for value in (places, calibration)]
        yield f"  {dose:>11}  {cells[0]:<24}  {cells[1]:<24}  {numbers[0]:>10}  {numbers[1]:>11}"
