"""Fields of particles on a film: places, masks, and the waves that leave them."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY, KINDS
from particlespy_ml.simulation.atoms.field import (
    ATOM_RADIUS,
    PlacedParticle,
    draw_field,
    draw_field_on_crystals,
    particle_masks,
)
from particlespy_ml.simulation.waves.exit_wave import fourier_resample, simulate_exit_wave

EDGE = 60.0


def disk(middle, radius=8.0, kind="sphere", side=1):
    """A flat particle of a dense grid of atoms."""
    axis = np.arange(-radius, radius + 0.1)
    x, y = (values.ravel() for values in np.meshgrid(axis, axis))
    inside = x**2 + y**2 <= radius**2
    positions = np.column_stack([x[inside] + middle[0], y[inside] + middle[1], np.zeros(inside.sum())])
    return PlacedParticle(kind, positions, np.zeros(len(positions), int), side)


@pytest.fixture(scope="module")
def field():
    return draw_field(EDGE, 6, (10.0, 18.0), "C", 12.0, np.random.default_rng(0))


def test_particles_lie_on_the_film_and_none_in_another(field):
    particles, film = field
    assert 3 <= len(particles) <= 6
    box = [EDGE, EDGE, 0]
    for number, particle in enumerate(particles):
        height = particle.positions[:, 2]
        assert (height.max() < 6) if particle.side < 0 else (height.min() > 6)
        others = [p.positions for p in particles[:number] if p.side == particle.side]
        if others:
            own, other = (
                np.column_stack([p[:, :2] % EDGE, p[:, 2] + 100]) for p in (particle.positions, np.concatenate(others))
            )
            assert cKDTree(other, boxsize=box).query(own)[0].min() > 1.5
    metal = np.concatenate([p.positions for p in particles])
    metal, film = (np.column_stack([p[:, :2] % EDGE, p[:, 2] + 100]) for p in (metal, film))
    assert cKDTree(metal, boxsize=box).query(film)[0].min() > 1.8


def test_same_seed_same_field(field):
    again = draw_field(EDGE, 6, (10.0, 18.0), "C", 12.0, np.random.default_rng(0))
    np.testing.assert_array_equal(field[1], again[1])
    assert [p.kind for p in field[0]] == [p.kind for p in again[0]]


def test_no_particle_is_a_bare_film():
    particles, film = draw_field(20.0, 0, (10.0, 18.0), "Si", 10.0, np.random.default_rng(0))
    assert particles == [] and len(film) == 200
    assert particle_masks(particles, 20.0, 40).shape == (0, 40, 40)


def test_too_many_particles_for_the_field_are_left_out():
    particles, _ = draw_field(30.0, 50, (18.0, 20.0), "Si", 10.0, np.random.default_rng(0), max_coverage=0.4)
    assert 1 <= len(particles) <= 2


@pytest.mark.parametrize("middle", [(30.0, 30.0), (0.0, 30.0), (59.0, 1.0)])
def test_mask_is_the_disk_wherever_it_lies(middle):
    (mask,) = particle_masks([disk(middle)], EDGE, 120)
    assert mask.sum() * 0.25 == pytest.approx(np.pi * (8 + ATOM_RADIUS) ** 2, rel=0.08)
    row, column = round(middle[1] * 2) % 120, round(middle[0] * 2) % 120
    assert mask[row, column]
    assert not mask[(row + 60) % 120].any()


def test_classes_of_kinds():
    for name, kinds in KINDS.items():
        for kind in kinds:
            assert CRYSTALLINITY[disk((0, 0), kind=kind).crystallinity] == name


def test_vacuum_changes_nothing_and_an_atom_shifts_the_phase_where_it_is():
    pytest.importorskip("abtem")
    wave = simulate_exit_wave(["Au"], np.array([[6.0, 3.0, 0.0]]), 12.0, pixels=60)
    assert wave.shape == (60, 60) and wave.dtype == np.complex64
    phase = np.angle(wave)
    assert np.unravel_index(phase.argmax(), phase.shape) == (15, 30)  # rows along y
    np.testing.assert_allclose(np.abs(wave[45:, :10]), 1, atol=0.02)


def test_phase_of_a_light_atom_is_the_projected_potential():
    """The integral of the phase over the plane is sigma times the mean inner potential, which electron scattering
    factors give at zero angle: 2 pi hbar² / m f(0)."""
    pytest.importorskip("abtem")
    wave = simulate_exit_wave(["C"], np.array([[5.0, 5.0, 0.0]]), 10.0, sampling=0.1)
    integral = np.angle(wave).sum() * 0.1**2
    forward = 2.51  # Å, P. A. Doyle and P. S. Turner, Acta Cryst. A 24, 390 (1968)
    gamma = 1 + 300e3 / 510998.95
    assert integral == pytest.approx(0.0196875 * gamma * forward, rel=0.05)


@pytest.mark.parametrize(("count", "pixels"), [(64, 64), (64, 40), (60, 81)])
def test_resampling_keeps_waves_that_fit(count, pixels):
    def wave(n):
        return np.exp(2j * np.pi * (3 * np.arange(n)[:, None] - 5 * np.arange(n)) / n)

    np.testing.assert_allclose(fourier_resample(wave(count), pixels), wave(pixels), atol=1e-5)


@pytest.mark.parametrize("film", [0.0, 1.0])
def test_particles_on_crystals_touch_them(film):
    """With a film below, everything that lies beside the flakes is near the film; without, most touch a flake."""
    near, symbols = [], set()
    for seed in range(8):
        particles, told, support = draw_field_on_crystals(
            EDGE, 6, (10.0, 18.0), "CeO2", (8.0, 20.0), np.random.default_rng(seed), film=film
        )
        assert len(told) == len(support)
        symbols |= set(told.tolist())
        box, floor = [EDGE, EDGE, 1e3], 200
        other = np.column_stack([support[:, :2] % EDGE % EDGE, support[:, 2] + floor])
        tree = cKDTree(other, boxsize=box)
        for particle in particles:
            own = np.column_stack([particle.positions[:, :2] % EDGE % EDGE, particle.positions[:, 2] + floor])
            near.append(tree.query(own)[0].min())
    assert symbols == ({"Ce", "O", "C"} if film else {"Ce", "O"})
    assert min(near) > 1.89
    assert np.mean(np.array(near) < 4.5) > 0.8
