"""Templates: shells, symmetry, and what a user may give."""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.crystals.crystal import Crystal
from particlespy_ml.strain.templates import STANDARD, as_templates, template, template_points

SHELLS = {
    "square": (8, 4),
    "hexagonal": (6, 6),
    "fcc<110>": (6, 2),
    "fcc<001>": (8, 4),
    "fcc<111>": (6, 6),
    "fcc<110> twin": (6, 2),
    "bcc<001>": (8, 4),
    "bcc<110>": (8, 2),
    "bcc<111>": (6, 6),
    "graphene": (9, 6),
}


@pytest.mark.parametrize("name", STANDARD)
def test_neighbours_and_turns(name):
    one = template(name)
    assert (len(one.sites[0].neighbours), one.fold) == SHELLS[name]
    assert len(one.sites) == 1  # both sites of graphene, and of a twin plane, are alike up to a turn


def test_lengths_are_lattice_constants():
    radii = template("fcc<110>").sites[0].radii
    np.testing.assert_allclose(radii, [6**0.5 / 4] * 4 + [0.5**0.5] * 2)
    np.testing.assert_allclose(template("fcc<110> twin").sites[0].radii, radii)
    np.testing.assert_allclose(template("graphene").sites[0].radii[0], 1 / 3**0.5)
    np.testing.assert_allclose(template("bcc<110>").sites[0].following, 1)


def test_the_widest_gap_between_columns():
    found = [template(name).gap for name in ("square", "hexagonal", "graphene")]
    np.testing.assert_allclose(found, [0.5**0.5, 1 / 3**0.5, 1 / 3**0.5])


def test_shells_that_may_be_chosen():
    assert [len(template("graphene", neighbours=n).sites[0].neighbours) for n in (3, 9, 12)] == [3, 9, 12]
    with pytest.raises(ValueError, match="5 neighbours of square fill no shells; expected one of 4, 8, 12"):
        template("square", neighbours=5)
    # the second shell of the hexagonal lattice lies between the first, the third behind it
    assert [len(ring) for ring in template("hexagonal", neighbours=18).sites[0].rings] == [12, 6]


def test_starts_that_symmetry_makes_equal_are_left_out():
    assert [len(template(name).sites[0].starts) for name in ("hexagonal", "square", "fcc<110>")] == [1, 2, 3]


def test_all_sites_of_a_crystal():
    assert len(template("CeO2", "<011>").sites) == 2  # both columns of oxygen are alike up to half a turn
    chiral = Crystal("oblique", ((1, 0, 0), (0.31, 1.13, 0), (0, 0, 1)), ("X",), ((0, 0, 0),))
    assert len(template(chiral, (0, 0, 1)).sites) == 2  # seen from either side
    assert template(chiral, (0, 0, 1)).fold == 2


def test_what_may_be_given():
    twice = as_templates(["square", ("Pt", "<011>"), template("graphene")])
    assert [one.name for one in twice] == ["square", "Pt<011>", "graphene"]
    assert [one.name for one in as_templates(("square", "hexagonal"))] == ["square", "hexagonal"]
    assert as_templates(("Pt", "<011>"))[0].name == "Pt<011>"
    with pytest.raises(ValueError, match="Unknown template 'sqare'; expected one of square, hexagonal"):
        as_templates("sqare")
    with pytest.raises(ValueError, match="different names"):
        as_templates(["square", "square"])
    with pytest.raises(ValueError, match="different names"):
        as_templates([])
    with pytest.raises(TypeError, match="expected a name, a crystal and a zone axis"):
        as_templates(3)
    with pytest.raises(TypeError, match="is no template"):
        as_templates([3])
    with pytest.raises(ValueError, match="needs a zone axis"):
        template(Crystal("Po", 3.35 * np.eye(3), ["Po"], [[0, 0, 0]]))


def test_points_of_several_templates():
    both = as_templates(["square", "hexagonal"])
    points, totals = template_points(both, np.array([1, 0]), np.array([0, 0]), 8)
    assert points.shape == (2, 9, 2) and totals.tolist() == [6, 8]
    assert not points[:, 0].any() and not points[0, 7:].any()
