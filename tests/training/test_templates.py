import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.models.networks import build_network
from particlespy_ml.simulation.structures import ISOMERS, closed_shell
from particlespy_ml.training.recipe import load_recipe
from particlespy_ml.training.templates import (
    PROJECTION_GROUP,
    isomer_templates,
    remember_templates,
    view_directions,
)

CRYSTALS = ISOMERS[:3]


@pytest.mark.parametrize("kind", CRYSTALS)
def test_symmetric_directions_show_the_same_projection(kind):
    positions = closed_shell(kind, 147).positions
    tree = cKDTree(positions)
    for rotation in Rotation.create_group(PROJECTION_GROUP[kind]):
        turned = rotation.apply(positions)
        assert min(tree.query(sign * turned)[0].max() for sign in (1, -1)) < 0.05


@pytest.mark.parametrize("kind", ISOMERS)
def test_every_direction_is_near_one_of_those_kept(kind):
    step = 10.0
    kept, group = view_directions(kind, step), Rotation.create_group(PROJECTION_GROUP[kind])
    np.testing.assert_allclose(np.linalg.norm(kept, axis=1), 1)
    same = np.vstack([rotation.apply(kept) for rotation in group])
    asked = Rotation.random(300, rng=np.random.default_rng(0)).apply([0, 0, 1])
    nearest = np.degrees(np.arccos((asked @ same.T).max(1).clip(-1, 1)))
    assert nearest.max() < 1.2 * step
    area = 4 * np.pi / len(group)  # of the directions that differ
    assert len(kept) == pytest.approx(area / np.radians(step) ** 2, rel=0.4)


def test_the_recipe_has_room_for_the_templates():
    architecture = load_recipe("isomer-haadf")["model"]["architecture"]
    assert [len(group) for group in isomer_templates()] == architecture["template_groups"]


def test_a_network_remembers_templates_and_one_without_is_left_alone():
    architecture = {**load_recipe("isomer-haadf")["model"]["architecture"], "n_classes": 5}
    network = build_network(architecture)
    remember_templates(network)
    assert network.state_dict()["0.branches.2.templates"].abs().sum() > 0
    architecture.pop("template_groups")
    bare = build_network(architecture)
    before = {name: value.clone() for name, value in bare.state_dict().items()}
    remember_templates(bare)
    assert all((bare.state_dict()[name] == value).all() for name, value in before.items())
