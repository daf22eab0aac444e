"""How clearly particles stand out."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.simulation.micrographs.clarity import clarity_of, texture_about
from particlespy_ml.simulation.micrographs.supports import random_field

ROWS, COLUMNS = np.ogrid[:160, :200]


def disk(row, column, diameter):
    return (np.hypot(ROWS - row, COLUMNS - column) <= diameter / 2).astype(int)


def clarity(support, noise, place=(80, 100), diameter=21.0):
    noise = np.broadcast_to(np.asarray(noise, float), support.shape)
    return clarity_of(np.array([1.0]), np.array([diameter]), disk(*place, diameter), support, noise)[0]


@pytest.mark.parametrize("diameter", [6.0, 21.0, 80.0])
def test_noise_alone_is_that_of_a_mean(diameter):
    flat = np.ones((160, 200))
    expected = np.sqrt(np.pi / 4) * diameter / 0.4
    assert clarity(flat, 0.4, diameter=diameter) == pytest.approx(expected, rel=1e-6)


def test_noise_counts_where_the_particle_is():
    noise = np.where(COLUMNS < 100, 0.1, 0.8) * np.ones((160, 1))
    flat = np.ones((160, 200))
    assert clarity(flat, noise, (80, 40)) == pytest.approx(8 * clarity(flat, noise, (80, 160)))


@pytest.mark.parametrize("width", [0.5, 1.3])
def test_noise_that_neighbours_share_is_stronger_in_means(width):
    rng = np.random.default_rng(0)
    white = ndi.gaussian_filter(rng.normal(size=(800, 800)), width)
    white /= white.std()
    shared = 1 / ndi.gaussian_filter(rng.normal(size=(800, 800)), width).std()
    for diameter in (1.2, 6.0, 24.0):
        inside = disk(80, 100, diameter).astype(float)
        spread = ndi.convolve(white, inside[60:101, 80:121] / inside.sum())[::7, ::7].std()
        own = np.array([1.0]), np.array([2 * np.sqrt(inside.sum() / np.pi)]), inside.astype(int)
        told = clarity_of(*own, np.ones((160, 200)), np.ones((160, 200)), shared)
        assert 1 / told[0] == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("diameter", [5.0, 20.0, 45.0])
def test_the_edge_of_a_film_is_no_texture(diameter):
    film = (COLUMNS > 90) * np.ones((160, 1))
    assert texture_about(film, diameter).max() < 0.02
    wavy = film * (1 + 0.1 * random_field(film.shape, 2.0, np.random.default_rng(0), 40.0))
    whole = 1 + 0.1 * random_field(film.shape, 2.0, np.random.default_rng(0), 40.0)
    far = np.s_[:, 150:]
    assert texture_about(wavy, diameter)[far].mean() == pytest.approx(
        texture_about(whole, diameter)[far].mean(), rel=0.25
    )


def test_texture_is_local_and_grows_with_what_is_there():
    field = 0.05 * random_field((160, 200), 1.5, np.random.default_rng(1), 20.0)
    support = 1 + np.where(COLUMNS < 100, 0.05, 1.0) * field
    texture = texture_about(support, 10.0)
    assert texture[:, 150:].mean() > 8 * texture[:, :50].mean()
    assert texture_about(1 + 2 * field, 10.0).mean() == pytest.approx(2 * texture_about(1 + field, 10.0).mean())


def test_vacuum_and_odd_shapes():
    assert not texture_about(np.zeros((31, 47)), 200.0).any()
    assert texture_about(np.ones((131, 97)), 40.0).shape == (131, 97)
    assert len(clarity_of(np.zeros(0), np.zeros(0), np.zeros((8, 8), int), np.ones((8, 8)), np.ones((8, 8)))) == 0
