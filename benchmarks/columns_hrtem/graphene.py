"""Atoms of graphene found, within grains and at their boundaries."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.scores import by_network
from particlespy_ml.columns.score import match_columns
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.training.columns.evaluate import REACH

DOSES = (180.0, 560.0, 1800.0, 3200.0, 1e4, 1e8)
_BORDER = 1.0  # Å
SHORTEST = 1.3  # Å, a bond that is shorter is none of graphene, but of structures that are not relaxed


def print_graphene(folder, count: int, model: ColumnMapper) -> None:
    """Precision, recall and F1 of both kinds of sites, by dose."""
    folder = images.fields(folder, "graphene", images.GRAPHENE, count)
    find = by_network(model)
    print(f"Graphene at 80 kV, {count} sheets of one to four grains, with holes; intervals of 95 % over sheets")
    print(f"  recall, too, of ideal sites none of whose neighbours is nearer than {SHORTEST} Å")
    print(f"  {'e/Å²':>7}  {'ideal: precision, recall':54} {'without close pairs':26} boundary: F1")
    for dose in DOSES:
        seen = images.recordings(folder, count, dose, images.GRAPHENE_MICROSCOPE)
        counts = np.array([_counts(one, told, find(one.images, one.pixel_size)) for one, told in seen])
        ideal = ", ".join(_share(counts[:, 0], number) for number in ((0, 2), (0, 1)))
        apart = _share(counts[:, 2], (0, 1))
        print(f"  {dose:7g}  {ideal:54} {apart:26} {_share(counts[:, 1], None)}   n = {counts[..., :2].sum((0, 2))}")


def _counts(seen, told: dict, found) -> np.ndarray:
    """Numbers found, missed and wrong of ideal sites, of those at boundaries, and of ideal ones apart, shape (3, 3).

    No wrong ones are among the last.
    """
    places, scale = seen.places, seen.pixel_size
    shape = np.array(seen.images.shape[1:])
    inside = _inside(places, shape, scale)
    match = match_columns(found.places, places, REACH / scale, inside)
    at_boundary = np.isin(seen.columns, told["boundary"])
    wrong = found.places[match.wrong]
    wrong = wrong[_inside(wrong, shape, scale)]
    nearest = at_boundary[cKDTree(places).query(wrong)[1]] if len(wrong) and len(places) else np.zeros(len(wrong), bool)
    of_sites = at_boundary[match.true], at_boundary[match.missed], nearest
    table = [[(one == kind).sum() for one in of_sites] for kind in (False, True)]
    bond = cKDTree(places).query(places, 2)[0][:, 1] * scale if len(places) > 1 else np.full(len(places), np.inf)
    apart = (bond >= SHORTEST) & ~at_boundary
    return np.array([*table, [apart[match.true].sum(), apart[match.missed].sum(), 0]])


def _inside(places: np.ndarray, shape: np.ndarray, scale: float) -> np.ndarray:
    border = _BORDER / scale
    return ((places >= border) & (places <= shape - 1 - border)).all(1)


def _share(counts: np.ndarray, of: tuple[int, int] | None) -> str:
    """Found over found and others, or F1, with an interval over sheets."""

    def value(part: np.ndarray) -> float:
        found, missed, wrong = part.sum(0)
        if of is None:
            return 2 * found / max(2 * found + missed + wrong, 1)
        return found / max(found + (missed, wrong)[of[1] - 1], 1)

    rng = np.random.default_rng(0)
    drawn = [value(counts[rng.integers(len(counts), size=len(counts))]) for _ in range(500)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{value(counts):.4f} ({low:.4f} to {high:.4f})"
