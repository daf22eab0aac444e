"""Mono-, polycrystalline and amorphous particles are what they are called."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.crystallinity import (
    CRYSTALLINITY,
    KINDS,
    MIN_MISORIENTATION,
    draw_particle,
    fcc_lattice,
    fcc_sphere,
    fivefold,
    misorientation,
    stitched_domains,
    twinned_sphere,
)
from particlespy_ml.simulation.atoms.neighbours import neighbour_pairs, pair_signatures
from particlespy_ml.simulation.atoms.structures import coordination_numbers, neighbour_cutoff

EVERY_KIND = [kind for kinds in KINDS.values() for kind in kinds]


def lattice_of(points):
    """Nearest-neighbour vectors of the atoms that have twelve, one set for each."""
    pairs = cKDTree(points).query(points, 13)
    inner = np.flatnonzero(pairs[0][:, 12] < 3.2)
    return [points[pairs[1][i, 1:]] - points[i] for i in inner]


def same_lattice(first, second):
    """Whether every vector of one set is in the other."""
    return all(np.linalg.norm(second - vector, axis=1).min() < 0.05 for vector in first)


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("diameter", [10.0, 24.0, 40.0])
def test_size_and_density(kind, diameter):
    rng = np.random.default_rng(3)
    positions, domains = draw_particle(kind, diameter, "Au", rng)
    assert positions.shape == (len(domains), 3)
    np.testing.assert_allclose((positions.max(0) + positions.min(0)) / 2, 0, atol=1e-9)
    assert 0.6 * diameter < np.ptp(positions, axis=0).mean() < 1.2 * diameter
    ideal = np.pi / 6 * diameter**3 * 4 / 4.08**3
    assert 0.35 * ideal < len(positions) < 1.35 * ideal
    assert cKDTree(positions).query(positions, 2)[0][:, 1].min() > 1.7


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_same_seed_same_particle(kind):
    first, second = (draw_particle(kind, 15.0, "Pt", np.random.default_rng(8))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_sphere_is_one_lattice():
    sets = lattice_of(fcc_sphere(24.0, "Au", np.random.default_rng(0)))
    assert len(sets) > 100
    assert all(same_lattice(sets[0], other) for other in sets[1:])


def test_stitched_domains_are_lattices_apart():
    rng = np.random.default_rng(1)
    for count in (2, 3):
        domains = stitched_domains(30.0, count, "Au", rng)
        assert len(domains) == count
        sets = [lattice_of(points)[0] for points in domains if len(lattice_of(points))]
        assert len(sets) >= 2
        for number, first in enumerate(sets):
            assert not any(same_lattice(first, second) for second in sets[:number])


def test_twins_mirror_each_other_in_a_plane_of_twelve_neighbours():
    below, above = twinned_sphere(30.0, "Au", np.random.default_rng(2))
    both = np.concatenate([below, above])
    # a coherent twin leaves no atom of the inside without its twelve neighbours
    inside = np.linalg.norm(both, axis=1) < 10
    assert (coordination_numbers(both, neighbour_cutoff("Au"))[inside] == 12).all()
    first, second = lattice_of(below)[0], lattice_of(above)[0]
    assert not same_lattice(first, second)
    shared = sum(np.linalg.norm(second - vector, axis=1).min() < 0.05 for vector in first)
    assert shared == 6  # the directions in the twin plane


@pytest.mark.parametrize(("kind", "count"), [("decahedron", 5), ("icosahedron", 20)])
def test_fivefold_particles_have_their_domains_each_of_one_lattice(kind, count):
    domains = fivefold(kind, 40.0, "Au", np.random.default_rng(4))
    assert len(domains) == count
    sizes = np.array([len(domain) for domain in domains])
    assert sizes.min() > 0.3 * sizes.mean()
    sets = [lattice_of(domain) for domain in domains if len(lattice_of(domain)) > 3]
    assert len(sets) >= 5
    for own in sets:  # a strained fcc lattice: all neighbours at one or two distances, within 6 %
        lengths = np.linalg.norm(np.concatenate(own), axis=1)
        assert np.ptp(lengths) / lengths.mean() < 0.06


def test_amorphous_particles_have_no_fcc_atoms():
    positions, _ = draw_particle("packing", 26.0, "Au", np.random.default_rng(5))
    crystal, _ = draw_particle("sphere", 26.0, "Au", np.random.default_rng(5))
    cutoff = neighbour_cutoff("Au")
    shares = []
    for points in (positions, crystal):
        pairs = neighbour_pairs(points, cutoff)
        shares.append(np.mean([signature == (4, 2, 1) for signature in pair_signatures(len(points), pairs)]))
    assert shares[0] < 0.1 < 0.3 < shares[1]


def test_misorientation():
    identity = Rotation.identity()
    for turn in Rotation.create_group("O"):
        assert misorientation(identity, turn) == pytest.approx(0, abs=1e-4)
    assert misorientation(identity, Rotation.from_euler("z", 45, degrees=True)) == pytest.approx(45)
    twin = Rotation.from_rotvec(np.pi / 3 * np.ones(3) / np.sqrt(3))
    assert misorientation(identity, twin) == pytest.approx(60)
    largest = max(misorientation(identity, turn) for turn in Rotation.random(2000, rng=np.random.default_rng(0)))
    assert 55 < largest < 62.81  # J. K. Mackenzie, Biometrika 45, 229 (1958)


def test_domains_differ_by_the_least_misorientation(monkeypatch):
    import particlespy_ml.simulation.atoms.crystallinity as module

    seen = []
    monkeypatch.setattr(module, "misorientation", lambda a, b: seen.append(misorientation(a, b)) or seen[-1])
    for seed in range(20):
        stitched_domains(12.0, 2, "Au", np.random.default_rng(seed))
    assert sum(angle >= MIN_MISORIENTATION for angle in seen) == 20


def test_lattice_has_its_density():
    points = fcc_lattice(20.0, "Au", np.random.default_rng(0))
    assert len(points) == pytest.approx(4 / 3 * np.pi * 20**3 * 4 / 4.08**3, rel=0.03)


def test_unknown_kind():
    with pytest.raises(ValueError, match="Unknown kind 'rod'; expected one of"):
        draw_particle("rod", 20.0, "Au", np.random.default_rng(0))


def test_every_class_has_kinds():
    assert tuple(KINDS) == CRYSTALLINITY


@pytest.mark.parametrize(("kind", "count"), [("decahedron", 5), ("icosahedron", 20)])
def test_domains_of_fivefold_particles_end_at_the_twin_planes(kind, count):
    """Inside of a domain every atom has the neighbours of one lattice, turned as the whole domain is."""
    for seed in range(4):
        for domain in fivefold(kind, 50.0, "Au", np.random.default_rng(seed)):
            sets = lattice_of(domain)
            if len(sets) < 5:
                continue
            distances = [np.linalg.norm(sets[0][:, None] - own, axis=2).min(1).max() for own in sets]
            assert np.max(distances) < 0.25  # a turn by a twin moves a neighbour by more than 1 Å
