"""Which lattices show in projection."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.visibility import count_visible_lattices, reflections

A = 4.08


def crystal(turn=None, size=10.0):
    grid = np.arange(-5, 6)
    cells = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 1, 3)
    points = A * (cells + np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= size]
    return points if turn is None else turn.apply(points)


def test_reflections_of_a_zone_axis():
    vectors, amplitudes = reflections(crystal())
    spacings = 1 / np.linalg.norm(vectors, axis=1)
    strong = np.sort(spacings[amplitudes > 0.8])[::-1]
    np.testing.assert_allclose(strong[:2], A / 2, rtol=0.02)  # (200) and (020); (110) is forbidden
    np.testing.assert_allclose(strong[2:4], A / np.sqrt(8), rtol=0.02)


def test_tilt_takes_reflections_away():
    # about [100], by more than a shape as thick as 20 Å allows for (020)
    vectors, amplitudes = reflections(crystal(Rotation.from_euler("x", 14, degrees=True)))
    along_x = np.abs(vectors[:, 1]) < 0.02
    assert amplitudes[along_x].max() > 0.9
    assert not (~along_x & (amplitudes > 0.8)).any()


def test_amorphous_atoms_have_none():
    points = np.random.default_rng(0).uniform(-12, 12, (800, 3))
    assert len(reflections(points)[0]) == 0


@pytest.mark.parametrize(
    ("turns", "expected"),
    [((0,), 1), ((0, 25), 2), ((0, 0), 1), ((0, 25, 50), 3)],
)
def test_lattices_that_differ_are_counted(turns, expected):
    parts = [crystal(Rotation.from_euler("z", turn, degrees=True)) + [25.0 * n, 0, 0] for n, turn in enumerate(turns)]
    domains = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    assert count_visible_lattices(np.concatenate(parts), domains) == expected


def test_small_domains_do_not_count():
    large, small = crystal(), crystal(Rotation.from_euler("z", 25, degrees=True), 2.0) + [30, 0, 0]
    domains = np.repeat([0, 1], [len(large), len(small)])
    assert count_visible_lattices(np.concatenate([large, small]), domains) == 1


@pytest.mark.parametrize("diameter", [10.0, 14.0, 20.0, 30.0])
def test_neither_amorphous_particles_nor_halves_of_a_crystal_have_lattices_of_their_own(diameter):
    from particlespy_ml.simulation.atoms.crystallinity import draw_particle

    packed, split = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        packed.append(len(reflections(draw_particle("packing", diameter, "Au", rng)[0])[0]) > 0)
        atoms, _ = draw_particle("sphere", diameter, "Au", rng)
        split.append(count_visible_lattices(atoms, (atoms[:, 0] > 0.1 * diameter).astype(int)) > 1)
    assert np.mean(packed) < 0.2
    assert np.mean(split) < 0.2
