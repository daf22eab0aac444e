"""Columns on empty sites of a lattice, and empty sites that stay empty."""

import numpy as np
import pytest

from particlespy_ml.columns.fit.refine import gaussian_columns, refine_columns
from particlespy_ml.columns.search.complete import complete_lattice, empty_sites
from particlespy_ml.columns.search.significance import column_significance
from particlespy_ml.crystals.plane_lattice import fit_lattice
from particlespy_ml.quality.noise import Noise

ROWS, COLUMNS = np.mgrid[:6, :7]
PLACES = np.column_stack([20 + 9.0 * ROWS.ravel() + COLUMNS.ravel(), 18 + 10.0 * COLUMNS.ravel()])
MISSING = [0, 17, 24, 41]


def fitted(volumes, dose_seed=0):
    """Image of columns, and a fit of all but some of them."""
    image = gaussian_columns((100, 100), PLACES, volumes, 2.1, 0.3)
    image = np.random.default_rng(dose_seed).poisson(image).astype(float)
    return image, refine_columns(image, np.delete(PLACES, MISSING, axis=0), 2.1, noise=Noise(1.0, 0.0))


def completed(image, fit, mask=None):
    return complete_lattice(image, fit, column_significance, 0.05, noise=Noise(1.0, 0.0), background=1, mask=mask)


def test_sites_are_where_columns_are_missing():
    known = np.delete(PLACES, MISSING, axis=0)
    sites = empty_sites(known, fit_lattice(known))
    away = np.linalg.norm(sites[:, None] - PLACES[MISSING], axis=-1)
    assert np.all(away.min(0) < 1e-6)
    # besides them those along the rim, and nothing where a column is
    assert np.linalg.norm(sites[:, None] - known, axis=-1).min() > 8


@pytest.mark.parametrize("seed", range(3))
def test_faint_columns_of_the_lattice_are_found_and_no_others(seed):
    volumes = np.full(len(PLACES), 120.0)
    volumes[MISSING] = 45.0
    full = completed(*fitted(volumes, seed))
    assert len(full.positions) == len(PLACES)
    assert np.linalg.norm(full.positions[:, None] - PLACES[MISSING], axis=-1).min(0).max() < 2


@pytest.mark.parametrize("seed", range(3))
def test_empty_sites_stay_empty(seed):
    volumes = np.full(len(PLACES), 120.0)
    volumes[MISSING] = 0.0
    assert completed(*fitted(volumes, seed)) is None


def test_where_it_does_not_look():
    volumes = np.full(len(PLACES), 120.0)
    image, fit = fitted(volumes)
    assert completed(image, fit, np.zeros(image.shape, bool)) is None
    few = refine_columns(image, PLACES[:5], 2.1, noise=Noise(1.0, 0.0))
    assert completed(image, few) is None
