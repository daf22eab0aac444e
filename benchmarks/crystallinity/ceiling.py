"""What an image can tell: how many polycrystalline particles show a second lattice at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from particlespy_ml.simulation.atoms.visibility import count_visible_lattices
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, draw_particles
from particlespy_ml.simulation.datasets.store import entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.card import read_model
from particlespy_ml.training.crystallinity.evaluate import PAPER_KINDS, HeldOut, particle_logits
from particlespy_ml.training.fields import split_fields


def main(folder: Path, cache: Path) -> None:
    """Print the share of particles whose lattices show in projection, and how the network does on them."""
    network, card = read_model(folder)
    recipe = ExitWaveRecipe.from_dict(card["training"]["simulation"])
    indices = split_fields(entry_indices(cache), recipe)["test"]
    data = HeldOut(cache, indices)
    lattices = np.array(
        [
            count_visible_lattices(particle.positions, particle.domains)
            for index in indices
            for particle in draw_particles(recipe, index)
        ]
    )
    rows = np.flatnonzero(data.rows)
    conditions = ImagingRecipe.from_dict(card["training"]["detector"]).nominal(1e4)
    predicted = particle_logits(network, data, rows, conditions, 2, 41).argmax(-1)
    right = (predicted == data.labels[rows][:, None]).mean(1)
    lattices, labels, kinds = lattices[rows], data.labels[rows], data.kinds[rows]
    small = data.diameters[rows] < 30
    print(
        "Ceiling: lattices that show in projection (planes of 1.2 Å and more, 30 % of the amplitude on axis, domains of"
    )
    print(
        "  4 % of the atoms and more), noise, film and defocus left out; share of the network's answers that are right"
    )
    for name, chosen in (
        ("monocrystalline, none shows", (labels == 0) & (lattices == 0)),
        ("monocrystalline, it shows", (labels == 0) & (lattices > 0)),
        ("polycrystalline, none shows", (labels == 1) & (lattices == 0)),
        ("polycrystalline, one shows", (labels == 1) & (lattices == 1)),
        ("polycrystalline, two or more", (labels == 1) & (lattices > 1)),
        ("amorphous", labels == 2),
    ):
        of = labels == labels[chosen][0] if chosen.any() else chosen
        share = chosen.sum() / max(of.sum(), 1)
        print(f"  {name:<30} {share:.3f} of the class, {chosen.sum():4d} particles, right {mean(right[chosen])}")
    for name, chosen in (
        ("all sizes and kinds", labels >= 0),
        ("1 to 3 nm", small),
        ("1 to 3 nm, kinds of the paper", small & np.isin(kinds, PAPER_KINDS)),
    ):
        hidden = np.mean(lattices[chosen & (labels == 1)] < 2)
        dark = np.mean([np.mean(lattices[chosen & (labels == label)] == 0) for label in (0, 1)])
        print(f"  {name}: {hidden:.3f} of the polycrystals show one lattice or none; whoever calls these single "
              f"crystals, and all others right, reaches {1 - hidden / 3:.3f} in three classes, and 0.95 of those that "
              f"get a class where at most {coverage_bound(hidden):.3f} get one; {dark:.3f} of the crystals show none, "
              f"and whoever calls these amorphous reaches {1 - 2 * dark / 3:.3f} in two classes")  # fmt: skip
    print()


def coverage_bound(hidden: float, wanted: float = 0.95) -> float:
    """Return the largest share of particles that may get a class, if a share of them is to be right.

    The classes are equally frequent. A share of the polycrystals cannot be told from single crystals; all else is
    right.
    """
    certain, alike = (2 - hidden) / 3, (1 + hidden) / 3
    right = 1 / (1 + hidden)
    return 1.0 if right >= wanted else min(1.0, certain + min(alike, (1 - wanted) * certain / (wanted - right)))


def mean(values: np.ndarray) -> str:
    """Mean with the standard error."""
    if not len(values):
        return "-"
    return f"{values.mean():.3f} ± {values.std() / np.sqrt(len(values)):.3f}"
