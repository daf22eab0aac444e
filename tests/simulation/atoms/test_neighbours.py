"""Common-neighbour analysis against ideal particles and crystals."""

import numpy as np
import pytest
from ase.build import bulk

from particlespy_ml.simulation.atoms.neighbours import identify_isomer, neighbour_pairs, pair_signatures
from particlespy_ml.simulation.atoms.structures import (
    ISOMERS,
    closed_shell,
    displace,
    draw_isomer,
    molten,
    neighbour_cutoff,
    random_rotation,
    remove_surface_atoms,
)

CUTOFF = neighbour_cutoff("Au")


def signatures_of_the_middle(crystal):
    atoms = crystal.repeat(5) if len(crystal) == 1 else crystal.repeat((5, 5, 3))
    pairs = neighbour_pairs(atoms.positions, CUTOFF)
    middle = np.argmin(np.linalg.norm(atoms.positions - atoms.positions.mean(0), axis=1))
    found = pair_signatures(len(atoms), pairs)
    return sorted(s for pair, s in zip(pairs, found, strict=True) if middle in pair)


def test_signatures_of_crystals():
    assert signatures_of_the_middle(bulk("Au", "fcc", a=4.08)) == [(4, 2, 1)] * 12
    hcp = bulk("Au", "hcp", a=2.885, c=2.885 * np.sqrt(8 / 3))
    assert signatures_of_the_middle(hcp) == [(4, 2, 1)] * 6 + [(4, 2, 2)] * 6


@pytest.mark.parametrize("n_atoms", [55, 147, 309, 923])
@pytest.mark.parametrize("kind", ISOMERS[:3])
def test_ideal_particles(kind, n_atoms):
    atoms = closed_shell(kind, n_atoms)
    assert identify_isomer(atoms.positions, CUTOFF) == kind


@pytest.mark.parametrize("kind", ISOMERS[:3])
def test_disturbed_particles_keep_their_class(kind):
    rng = np.random.default_rng(0)
    for n_atoms in (147, 309, 561):
        atoms = random_rotation(remove_surface_atoms(closed_shell(kind, n_atoms), 0.15, rng), rng)
        assert identify_isomer(displace(atoms, 0.08, rng).positions, CUTOFF) == kind


def test_liquids_and_twins_are_no_isomer():
    assert identify_isomer(molten(150, "Au", np.random.default_rng(0)).positions, CUTOFF) == "amorphous"
    half = closed_shell("cuboctahedron", 561).positions
    half = half[half.sum(1) > -1e-6]  # fcc on one side of a (111) plane; its mirror image is a twin
    normal = np.ones(3) / np.sqrt(3)
    mirrored = half - 2 * (half @ normal)[:, None] * normal
    twin = np.vstack([half, mirrored[mirrored @ normal < -1e-6]])
    assert identify_isomer(twin, CUTOFF) == "other"


def test_nothing_and_one_atom():
    assert identify_isomer(np.zeros((0, 3)), CUTOFF) == "amorphous"
    assert identify_isomer(np.zeros((1, 3)), CUTOFF) == "amorphous"


@pytest.mark.parametrize("kind", ISOMERS)
def test_drawn_particles_are_what_they_are_called(kind, monkeypatch):
    from particlespy_ml.simulation.atoms import structures

    monkeypatch.setattr(structures, "displace", lambda atoms, rms, rng: atoms)
    rng = np.random.default_rng(1)
    for n_atoms in (60, 200):
        assert identify_isomer(draw_isomer(kind, n_atoms, rng).positions, CUTOFF) == kind
