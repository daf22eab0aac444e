"""Columns on the sites of a lattice: all of them at low doses, and none where there is no lattice."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.refine import gaussian_columns
from particlespy_ml.columns.search.in_image import columns_on_sites, find_columns_in, search_columns
from particlespy_ml.columns.search.places import lattice_periods
from particlespy_ml.columns.search.sites import fit_sites
from particlespy_ml.crystals.image_lattice import ImageLattice, find_image_lattice
from particlespy_ml.quality.noise import Noise

PIXEL, WIDTH, INCREMENT = 0.24, 0.45, 0.02  # Å, Å, Å²
SETTINGS = {"shared_width": True, "background": Background(1)}


def columns_along(zone_axis, size=(10, 3)):
    """Positions in Å and counts of a truncated octahedron of platinum."""
    from ase.cluster import Octahedron

    from particlespy_ml.crystals.projection import ZONE_AXES

    axis = np.array(ZONE_AXES[zone_axis], float)
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])
    turned = Rotation.from_euler("z", 17, degrees=True) * to_beam
    atoms = turned.apply(Octahedron("Pt", *size).positions)[:, :2]
    return distinct(atoms)


def distinct(atoms, apart=0.4):
    tree, left, places, counts = cKDTree(atoms), np.ones(len(atoms), bool), [], []
    for k in range(len(atoms)):
        if left[k]:
            members = tree.query_ball_point(atoms[k], apart)
            left[members] = False
            places.append(atoms[members].mean(0))
            counts.append(len(members))
    return np.array(places), np.array(counts)


def seen(places, counts, dose, seed=0):
    """Image in fractions of the beam, positions in pixels, and the noise."""
    positions = (places - places.min(0)) / PIXEL + 6 / PIXEL
    shape = tuple(np.ceil(positions.max(0) + 6 / PIXEL).astype(int))
    clean = gaussian_columns(shape, positions, INCREMENT * counts / PIXEL**2, WIDTH / PIXEL, 0.002)
    electrons = dose * PIXEL**2
    return np.random.default_rng(seed).poisson(clean * electrons) / electrons, positions, Noise.of_dose(electrons)


def recall_and_precision(found, positions):
    distance, index = cKDTree(positions).query(found)
    near = distance < 0.8 / PIXEL
    return len(np.unique(index[near])) / len(positions), near.mean()


@pytest.mark.parametrize("zone_axis", ["<001>", "<011>", "<111>"])
def test_the_lattice_is_that_of_the_columns(zone_axis):
    image, positions, _ = seen(*columns_along(zone_axis), 1e3)
    lattice = find_image_lattice(image, PIXEL / 10)
    assert lattice.zone_axis == zone_axis
    away = (positions - lattice.origin) @ np.linalg.inv(lattice.basis)
    away = (away - np.rint(away)) @ lattice.basis
    assert np.sqrt(np.mean(np.sum(away**2, 1))) < 0.12 * lattice.nearest


@pytest.mark.parametrize(("zone_axis", "least"), [("<001>", 0.99), ("<011>", 0.99), ("<111>", 0.93)])
def test_columns_that_are_not_seen_one_by_one(zone_axis, least):
    image, positions, noise = seen(*columns_along(zone_axis), 1e3)
    found = find_columns_in(image, PIXEL / 10, noise=noise)
    recall, precision = recall_and_precision(found.fit.positions, positions)
    assert recall >= least and precision > 0.99
    if zone_axis == "<111>":
        alone = search_columns(image, lattice_periods(image, PIXEL / 10)[0], 0.05, noise=noise, **SETTINGS)
        assert alone.fit is None or recall_and_precision(alone.fit.positions, positions)[0] < 0.5


def test_empty_sites_stay_empty():
    places, counts = columns_along("<111>")
    hole = np.linalg.norm(places - places.mean(0), axis=1) < 4
    false = 0
    for seed in range(2):
        image, positions, noise = seen(places[~hole], counts[~hole], 1e3, seed)
        found = find_columns_in(image, PIXEL / 10, noise=noise)
        false += np.sum(cKDTree(positions).query(found.fit.positions)[0] > 0.8 / PIXEL)
    assert false <= 1  # 0.05 an image are expected


def test_a_bent_lattice_is_followed():
    places, counts = columns_along("<001>", (13, 4))
    middle = places.mean(0)
    strained = places + 0.004 * (places - middle) ** 2 * np.array([1, -0.5])  # 0.4 Å at the rim, of 1.96
    image, positions, noise = seen(strained, counts, 1e4)
    lattice = find_image_lattice(image, PIXEL / 10)
    found = fit_sites(image, lattice, 0.05, noise=noise)
    recall, precision = recall_and_precision(found.fit.positions, positions)
    assert recall > 0.99 and precision > 0.99
    distance = cKDTree(positions).query(found.fit.positions)[0]
    assert np.sqrt(np.mean(distance**2) / 2) * PIXEL < 0.04


def test_a_twin_has_no_single_lattice():
    places, counts = columns_along("<011>", (13, 4))
    places = places - places.mean(0)
    along = np.array([np.cos(0.4), np.sin(0.4)])
    one, other = (
        places[places @ along > 0],
        places[places @ along <= 0] @ Rotation.from_euler("z", 25, degrees=True).as_matrix()[:2, :2],
    )
    image, positions, noise = seen(np.vstack([one, other]), np.full(len(places), 4), 3e4)
    found = find_columns_in(image, PIXEL / 10, noise=noise)
    assert min(recall_and_precision(found.fit.positions, positions)) > 0.9  # columns at the cut lie closer than others
    alone = search_columns(image, lattice_periods(image, PIXEL / 10)[0], 0.05, noise=noise, **SETTINGS)
    np.testing.assert_array_equal(found.fit.positions, alone.fit.positions)


@pytest.mark.parametrize("dose", [1e3, 1e4])
def test_decahedra_and_random_packings_have_no_lattice(dose):
    from ase.cluster import Decahedron

    rng = np.random.default_rng(3)
    deca = distinct(Decahedron("Au", 5, 4, 0).positions[:, :2])
    packed = [np.zeros(2)]
    while len(packed) < 80:
        place = rng.uniform(-11, 11, 2)
        if np.linalg.norm(place) < 11 and np.min(np.linalg.norm(np.array(packed) - place, axis=1)) > 1.8:
            packed.append(place)
    for places, counts in (deca, (np.array(packed), np.full(80, 5))):
        image, _, noise = seen(places, counts, dose)
        assert columns_on_sites(image, PIXEL / 10, None, 0.05, noise=noise, **SETTINGS) is None


def test_few_sites_are_no_lattice():
    image, positions, noise = seen(*columns_along("<001>"), 1e4)
    far = ImageLattice(np.array([5.0, 5.0]), 40.0 * np.eye(2), "<001>", 1.0)
    assert fit_sites(image, far, 0.05, noise=noise) is None
    nothing = find_image_lattice(np.random.default_rng(0).poisson(5.0, (90, 90)), PIXEL / 10)
    assert nothing is None


@pytest.mark.parametrize(("dose", "least"), [(300, 0.78), (1000, 0.99)])
def test_columns_too_faint_to_be_told_are_no_background(make_columns, dose, least):
    """Columns of one and two atoms are missed at low doses; their light does not lift the background of the others."""
    recall, background, volumes = [], [], []
    for seed in range(4):
        image, places, counts = make_columns(dose=dose, seed=seed)
        found = find_columns_in(image, 0.02, noise=Noise(1.0, 0.0))
        distance, nearest = cKDTree(places).query(found.fit.positions)
        assert (distance < 4).all()
        recall.append(len(found) / len(places))
        background.append(found.fit.background.mean() / (0.002 * dose * 0.04))
        bright = counts[nearest] > 2
        volumes.append((found.fit.volumes / (0.0235 * dose * counts[nearest]))[bright].mean())
    assert np.mean(recall) > least
    assert np.mean(background) == pytest.approx(1, abs=0.2)
    assert np.mean(volumes) == pytest.approx(1, abs=0.1)
