"""Strain of frames: closed forms, whatever the lattice, and errors against many draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.strain.structures import Field, decahedron, lattice, polar_truth, rotation, step
from particlespy_ml.strain.deformation import NAMES
from particlespy_ml.strain.frame import strain_of_places
from particlespy_ml.strain.templates import as_templates, template

SEEN = {
    "square": ("square", None, 1.0),
    "hexagonal": ("hexagonal", None, 1.0),
    "fcc<110>": ("fcc", "<011>", 8**0.5 / 3**0.5),
    "graphene": ("graphene", "<0001>", 3**0.5),
}
SQUARE, HEXAGONAL = template("square"), template("hexagonal")


def values(rows):
    return np.column_stack([rows[name] for name in NAMES])


def errors(rows):
    return np.column_stack([rows[f"{name}_error"] for name in NAMES])


@pytest.mark.parametrize("name", SEEN)
@settings(max_examples=8)
@given(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03), st.floats(-0.02, 0.02), st.floats(-180, 180))
def test_homogeneous_strain_and_rotation(name, exx, eyy, exy, turn):
    crystal, axis, constant = SEEN[name]
    stretch = np.array([[1 + exx, exy], [exy, 1 + eyy]])
    places = lattice(crystal, 4.1, axis) @ rotation(turn).T @ stretch + [3, -7]
    one = template(name)
    order = np.random.default_rng(0).permutation(len(places))
    rows = strain_of_places(places[order], [one], scale=constant, errors=np.full((len(places), 2), 0.01))
    whole = rows["template"] == 0
    assert whole.mean() > 0.9 and whole[np.linalg.norm(places[order] - [3, -7], axis=1) < 2.5].all()
    found = values(rows[whole])
    np.testing.assert_allclose(found[:, [0, 1, 2]], np.tile([exx, eyy, exy], (whole.sum(), 1)), atol=1e-12)
    np.testing.assert_allclose(found[:, 4], (exx + eyy) / 2, atol=1e-12)
    away = (found[:, 3] - turn) % (360 / one.fold)
    np.testing.assert_allclose(np.minimum(away, 360 / one.fold - away), 0, atol=1e-9)
    assert np.abs(found[:, 3]).max() <= 180 / one.fold + 1e-9


def test_mirrored_axes():
    places = lattice("fcc", 4.1, "<011>", 20) @ np.array([[1.02, 0.01], [0.01, 0.99]])
    one, other = (strain_of_places(p, [template("fcc<110>")], scale=1.633) for p in (places, places * [-1, 1]))
    whole = one["template"] == 0
    np.testing.assert_array_equal(whole, other["template"] == 0)
    for name, sign in (("exx", 1), ("eyy", 1), ("exy", -1), ("rotation", -1), ("normal_x", -1), ("normal_y", 1)):
        np.testing.assert_allclose(other[name][whole], sign * one[name][whole], atol=1e-12, err_msg=name)


def test_the_scale_is_given_or_follows():
    places, exx = step(vacancy=False)
    whole = strain_of_places(places, [SQUARE])
    assert abs(whole["planar"].mean()) < 1e-12
    reference = places[:, 0] < 14
    rows = strain_of_places(places, [SQUARE], reference=reference)
    assert abs(rows["planar"][reference].mean()) < 1e-12
    known = np.isfinite(exx)
    np.testing.assert_allclose(rows["exx"][known], exx[known], atol=1e-12)
    nowhere = strain_of_places(places, [SQUARE], reference=np.zeros(len(places), bool))
    assert np.isnan(nowhere["exx"]).all() and (nowhere["template"] == 0).all()
    both = strain_of_places(places, as_templates(["square", "hexagonal"]), scale={"square": 2.0, "hexagonal": 1.0})
    np.testing.assert_allclose(both["eyy"], -0.5)


def test_a_step_and_a_vacancy():
    places, exx = step()
    rows = strain_of_places(places, [SQUARE], scale=1)
    known = np.isfinite(exx)
    assert (rows["template"] == 0).all()
    np.testing.assert_allclose(rows["exx"][known], exx[known], atol=1e-12)
    assert (rows["n_neighbours"] + rows["n_missing"] == 8).all()
    inside = (np.abs(places[:, 1] - 14.5) < 13) & (places[:, 0] > 1) & (places[:, 0] < 26)
    assert np.isnan(rows["normal_x"][inside]).all()  # the vacancy is no surface


def test_the_analytic_field():
    field = Field(edge=41, width=12)
    rows = strain_of_places(field.places(), [SQUARE], scale=1)
    truth = polar_truth(field.gradient())
    assert np.abs(values(rows)[:, :3] - truth).mean() < 5e-5


def test_domains_of_a_decahedron_are_turned_by_36_degrees():
    grains = decahedron(6)
    rows = strain_of_places(grains.places, as_templates(["fcc<110>", "fcc<110> twin"]))
    means = [rows["rotation"][grains.grain == number].mean() for number in range(5)]
    apart = np.diff(np.sort(means))
    np.testing.assert_allclose(apart, 36, atol=0.3)
    # one lattice constant of crystal and twin planes: the strain of the domains is as that of the planes between them
    assert np.ptp(rows["planar"][1:]) < 0.02


def test_seven_points_reach_the_bound():
    places = np.vstack([[0, 0], HEXAGONAL.sites[0].neighbours])
    rows = strain_of_places(places, [HEXAGONAL], scale=1, errors=np.full((7, 2), 0.01))
    np.testing.assert_allclose(errors(rows)[0, :2], 0.01 / 3**0.5)
    assert rows["exx_error"][0] <= 0.60 * 0.01
    rng = np.random.default_rng(0)
    drawn = [strain_of_places(places + rng.normal(0, 0.01, (7, 2)), [HEXAGONAL], scale=1)["exx"][0] for _ in range(80)]
    assert np.std(drawn) <= 0.60 * 0.01 * 1.15


@pytest.mark.parametrize("scale", [1.0, None])
@pytest.mark.parametrize("noise", [0.003, 0.03])
def test_errors_cover_the_truth(noise, scale):
    """Columns of different errors along x and y, rim included."""
    places = lattice("hexagonal", 5.2)
    rng = np.random.default_rng(3)
    spread = noise * rng.uniform(0.5, 1, places.shape)
    truth = values(strain_of_places(places, [HEXAGONAL], scale=scale))
    inside = []
    for _ in range(40):
        rows = strain_of_places(places + rng.normal(0, spread), [HEXAGONAL], scale=scale, errors=spread)
        matched = rows["template"] == 0
        inside.append((np.abs(values(rows) - truth) < 1.96 * errors(rows))[matched])
    share = np.vstack(inside).mean(0)
    assert ((share > 0.93) & (share < 0.97)).all(), share


def test_errors_of_seven_columns_whose_scale_is_their_own():
    """The mean planar strain has no error then, and all others count the lattice constant once."""
    places = np.vstack([[0, 0], HEXAGONAL.sites[0].neighbours])
    rows = strain_of_places(places, [HEXAGONAL], reference=np.arange(7) == 0, errors=np.full((7, 2), 0.01))
    assert rows["planar_error"][0] < 1e-9 and rows["exx_error"][0] > 1e-3


def test_errors_are_estimated_where_none_are_known():
    places = lattice("square", 9)
    places += np.random.default_rng(0).normal(0, 0.02, places.shape)
    whole = strain_of_places(places, [SQUARE])
    known = strain_of_places(places, [SQUARE], errors=np.full(places.shape, 0.02))
    np.testing.assert_allclose(whole["exx_error"], known["exx_error"], rtol=0.1)


@pytest.mark.parametrize("count", range(4))
def test_few_points(count):
    rows = strain_of_places(np.random.default_rng(0).random((count, 2)), [SQUARE])
    assert len(rows) == count and (rows["template"] == -1).all()
    assert np.isnan(values(rows)).all() and not rows["n_neighbours"].any()


def test_places_that_are_not_finite_are_left_out():
    places = lattice("square", 4)
    whole = strain_of_places(places, [SQUARE])
    rows = strain_of_places(np.vstack([[np.nan, 0], places]), [SQUARE])
    assert rows["template"][0] == -1
    np.testing.assert_array_equal(values(rows)[1:], values(whole))
