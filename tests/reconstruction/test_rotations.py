import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from particlespy_ml.reconstruction.rotations import (
    ALONG_BEAM,
    equivalent_poses,
    from_euler,
    point_group,
    pose_error,
    sample_rotations,
    to_euler,
)
from tests.reconstruction.conftest import images_of

ORDERS = {
    "C1": 1, "Ci": 2, "Cs": 2, "C3": 3, "C3h": 6, "C3v": 6, "D5": 10, "D5h": 20, "T": 12, "Td": 24, "Th": 24, "O": 24,
    "Oh": 48, "I": 60, "Ih": 120,
}  # fmt: skip


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_groups_are_closed(name, order):
    group = point_group(name)
    assert group.shape == (order, 3, 3)
    assert np.allclose(group[0], np.eye(3))
    products = np.einsum("aij,bjk->abik", group, group).reshape(-1, 9)
    distance = np.abs(products[:, None] - group.reshape(1, -1, 9)).max(-1).min(1)
    assert distance.max() < 1e-9


def test_the_group_of_a_tetrahedron_is_td():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
    for operation in point_group("Td"):
        turned = corners @ operation.T
        assert np.abs(turned[:, None] - corners).max(-1).min(1).max() < 1e-9


@pytest.mark.parametrize("name", ["D1", "D0h", "X3", "C", "oh", "D5v", None])
def test_unknown_groups_list_the_known(name):
    with pytest.raises(ValueError, match="C1, Ci, Cs, Cn"):
        point_group(name)


@pytest.mark.parametrize("name", ["C2v", "D5h", "Oh"])
def test_equivalent_poses_give_the_same_image(name, points):
    group = point_group(name)
    particle = (points[:3] @ group.transpose(0, 2, 1)).reshape(-1, 3)
    poses = equivalent_poses(Rotation.random(random_state=0).as_matrix(), group)
    assert np.allclose(np.linalg.det(poses), 1)
    images = images_of(particle, poses)
    assert np.abs(images - images[0]).max() < 1e-9 * images.max()


def test_pose_error_is_the_angle_and_forgets_symmetry():
    truth = Rotation.random(5, random_state=2).as_matrix()
    off = Rotation.from_rotvec([0, np.radians(7), 0]).as_matrix() @ truth
    for name in ("C1", "D5h", "Ih"):
        group = point_group(name)
        other = equivalent_poses(off, group)[:, -1]
        assert np.allclose(pose_error(other, truth, group), 7)


def test_samples_cover_all_rotations_once():
    step = 15.0
    group = point_group("D3")
    everywhere, wedge = sample_rotations(step), sample_rotations(step, group)
    assert len(everywhere) / len(wedge) == pytest.approx(6, rel=0.05)
    targets = Rotation.random(200, random_state=4).as_matrix()
    for rotations, symmetry in ((everywhere, point_group("C1")), (wedge, group)):
        nearest = [pose_error(rotations, target, symmetry).min() for target in targets]
        assert max(nearest) < step


def test_euler_angles_are_those_of_relion():
    rot, tilt, psi = np.radians([[20.0, 50.0, 110.0]])[0]
    ca, sa, cb, sb, cg, sg = (f(a) for a in (rot, tilt, psi) for f in (np.cos, np.sin))
    cc, cs, sc, ss = cb * ca, cb * sa, sb * ca, sb * sa
    expected = np.array(
        [
            [cg * cc - sg * sa, cg * cs + sg * ca, -cg * sb],
            [-sg * cc - cg * sa, -sg * cs + cg * ca, sg * sb],
            [sc, ss, cb],
        ]
    )  # Euler_angles2matrix of RELION
    assert np.allclose(from_euler([[20.0, 50.0, 110.0]])[0], expected)


def test_euler_angles_round_trip_at_the_poles():
    poses = np.stack([np.eye(3), np.diag([1.0, -1.0, -1.0]), *Rotation.random(20, random_state=5).as_matrix()])
    assert pose_error(from_euler(to_euler(poses)), poses, point_group("C1")).max() < 1e-4
    assert np.allclose(ALONG_BEAM @ ALONG_BEAM, np.eye(3))
