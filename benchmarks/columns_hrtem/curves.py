"""How columns are found over everything that may differ, beside the simple way."""

from __future__ import annotations

import numpy as np

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.scores import best_of_peer, by_network, outcomes
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.training.columns.evaluate import recall_by_output, score_columns

DOSE = 1e3
SETTINGS = {
    "defocus (Å)": {value: {"defocus": ((1.0, value - 1, value + 1),)} for value in range(-200, 201, 50)},
    "pixel (Å)": {value: {"pixel_size": (value, value)} for value in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)},
    "spread (Å)": {value: {"focal_spread": (value, value)} for value in (20.0, 30.0, 40.0, 50.0)},
    "deflection (Å)": {value: {"deflection": (value, value)} for value in (0.0, 0.15, 0.3, 0.4)},
}


def print_curves(folder, count: int, model: ColumnMapper) -> None:
    """F1 over defocus, and with it the sign of the contrast, sampling, coherence, tilt; recall over height."""
    print(
        f"The same structures at {DOSE:g} e/Å²: F1 of the network, and of maxima at their best setting for each value"
    )
    for name, values in SETTINGS.items():
        rows = [
            (value, *_pair(images.recordings(folder, count, DOSE, **changes), model))
            for value, changes in values.items()
        ]
        _print_line(name, rows)
    seen = images.recordings(folder, count, DOSE)
    tilts = np.array([told["tilt"] for _, told in seen])
    rows = []
    for low in (0.0, 0.5, 1.0, 1.5):
        group = [pair for pair, tilt in zip(seen, tilts, strict=True) if low <= tilt < low + 0.5]
        if group:
            rows.append((f"{low}-{low + 0.5}", *_pair(group, model)))
    _print_line("tilt (deg)", rows)
    found = recall_by_output(outcomes(seen, by_network(model)), 12)
    print(
        "  recall by height: "
        + ", ".join(f"{n + 1}: {value:.3f}" for n, value in enumerate(found) if value is not None)
    )


def _pair(recordings: list, model: ColumnMapper) -> tuple[float, float]:
    own = score_columns(outcomes(recordings, by_network(model)))["f1"]["value"]
    return own, best_of_peer(recordings, "maxima")[2]["f1"]["value"]


def _print_line(name: str, rows: list) -> None:
    print(f"  {name:15}" + "".join(f"{value!s:>9}" for value, *_ in rows))
    print(f"  {'network':15}" + "".join(f"{own:9.3f}" for _, own, _ in rows))
    print(f"  {'maxima':15}" + "".join(f"{peer:9.3f}" for *_, peer in rows))
