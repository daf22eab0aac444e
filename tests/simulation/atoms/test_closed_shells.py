"""Particles of known sizes: as many and as perfect as asked, each part its own."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.closed_shells import ClosedShellRecipe, draw_closed_shells, template_models
from particlespy_ml.simulation.atoms.structures import ISOMERS

PERFECT = ClosedShellRecipe(n_atoms=(55, 147), removed=(0, 0), disorder=(0, 0), others=0, glasses=2)


def test_templates_are_grouped_by_class_and_size():
    models, groups, group_classes = template_models(PERFECT)
    assert group_classes == [0, 0, 1, 1, 2, 2, 3, 3]
    assert groups == [0, 1, 2, 3, 4, 5, 6, 6, 7, 7]
    assert [len(models[row]) for row in (0, 1, 4, 5)] == [55, 147, 55, 147]
    for model in models:
        np.testing.assert_allclose(model.max(0) + model.min(0), 0, atol=1e-9)


def test_drawn_in_turn_and_the_same_again():
    drawn, again = (draw_closed_shells(PERFECT, 9, "training") for _ in range(2))
    assert [label for _, label in drawn] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert len(drawn[0][0]) == len(drawn[8][0]) == 55
    assert len(drawn[4][0]) == 147
    for (one, _), (other, _) in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.allclose(drawn[0][0], drawn[8][0])  # another orientation
    other = draw_closed_shells(PERFECT, 1, "test")[0][0]
    assert not np.allclose(drawn[0][0], other)


@pytest.mark.parametrize("label", range(3))
def test_atoms_are_missing_and_displaced(label):
    recipe = ClosedShellRecipe(n_atoms=(309,), removed=(0.1, 0.1), disorder=(0.2, 0.2), others=0)
    positions, found = draw_closed_shells(recipe, label + 1, "validation")[label]
    assert found == label and ISOMERS[label] != "amorphous"
    assert 270 < len(positions) < 309
    nearest = cKDTree(positions).query(positions, 2)[0][:, 1]
    assert nearest.std() > 0.1


def test_the_last_are_none_of_the_isomers():
    drawn = draw_closed_shells(ClosedShellRecipe(n_atoms=(55,), others=0.75), 8, "training")
    assert [label for _, label in drawn] == [0, 1, 4, 4, 4, 4, 4, 4]
    cut = drawn[-1][0]
    assert 55 / 4 < len(cut) < 55 * 3 / 4


@pytest.mark.parametrize("wrong", [{"n_atoms": ()}, {"glasses": 0}, {"others": 1.0}])
def test_what_no_sample_has(wrong):
    with pytest.raises(ValueError, match="Expected at least one size"):
        ClosedShellRecipe(**wrong)


def test_a_size_without_closed_shells():
    with pytest.raises(ValueError, match="no icosahedron of about 20 atoms, the nearest has"):
        template_models(ClosedShellRecipe(n_atoms=(20,)))


def test_unknown_setting():
    with pytest.raises(ValueError, match=r"Unknown simulation settings \['sizes'\]"):
        ClosedShellRecipe.from_dict({"sizes": [55]})
