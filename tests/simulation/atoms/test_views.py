"""Views of symmetric particles: each once, and all of them."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.structures import closed_shell
from particlespy_ml.simulation.atoms.views import SYMMETRY, orientations, view_directions


@pytest.mark.parametrize("kind", ("icosahedron", "decahedron", "cuboctahedron"))
def test_symmetric_directions_show_the_same_projection(kind):
    positions = closed_shell(kind, 147).positions
    tree = cKDTree(positions)
    for rotation in Rotation.create_group(SYMMETRY[kind][0]):
        turned = rotation.apply(positions)
        assert min(tree.query(sign * turned)[0].max() for sign in (1, -1)) < 0.05


def test_orientations_bring_each_direction_to_the_beam():
    turned, directions = orientations("cuboctahedron", 15.0, in_plane=90.0), view_directions("cuboctahedron", 15.0)
    for number, direction in enumerate(directions):
        np.testing.assert_allclose(turned[2 * number : 2 * number + 2].apply(direction), [[0, 0, 1]] * 2, atol=1e-9)


def test_steps_that_leave_no_view():
    with pytest.raises(ValueError, match="step=36.0 degrees leaves no view of the icosahedron"):
        view_directions("icosahedron", 36.0)
