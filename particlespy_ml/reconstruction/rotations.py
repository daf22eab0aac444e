"""Orientations of particles: sampling, Euler angles, point groups, and errors modulo a point group.

A pose R, shape (3, 3), turns the particle from the frame of its volume to that of the microscope, r_lab = R r, with the
beam along z. Vectors are (x, y, z); volumes are arrays [z, y, x] and images arrays [y, x].
"""

from __future__ import annotations

import re

import numpy as np
from scipy.spatial.transform import Rotation

# looking along the beam from the other side: the image is the same
ALONG_BEAM = np.diag([1.0, 1.0, -1.0])
GROUPS = "C1, Ci, Cs, Cn, Cnh, Cnv, Dn, Dnh (n = 2, 3, ...), T, Td, Th, O, Oh, I or Ih"


def point_group(name: str) -> np.ndarray:
    """Return the operations of a point group, the identity first.

    The main axis is z and, in dihedral groups, x is a two-fold axis; cubic groups have their four-fold (O) or two-fold
    (T, I) axes along x, y and z.

    Parameters
    ----------
    name
        Schoenflies symbol, such as "C1", "D5h" (decahedra), "Oh" (cuboctahedra) or "Ih" (icosahedra).

    Returns
    -------
    numpy.ndarray
        Orthogonal matrices, shape (order, 3, 3); those of determinant -1 are reflections and rotary reflections.

    Raises
    ------
    ValueError
        If the name is not one of those listed.

    Examples
    --------
    >>> [len(point_group(name)) for name in ("C1", "D5h", "Oh", "Ih")]
    [1, 20, 48, 120]
    """
    found = re.fullmatch(r"(Ci|Cs|Td|Th|T|Oh|O|Ih|I)|([CD])([1-9]\d*)([hv]?)", str(name))
    if found is None or (found[2] == "D" and (found[4] == "v" or found[3] == "1")):
        raise ValueError(f"There is no point group {name!r}; expected one of {GROUPS}.")
    inversion, mirror = -np.eye(3), ALONG_BEAM
    if found[1] in ("Ci", "Cs"):
        return _with(np.eye(3)[None], inversion if found[1] == "Ci" else mirror)
    if found[1] == "Td":
        rotations = Rotation.create_group("T").as_matrix()
        return _with(_identity_first(rotations), np.diag([1.0, 1.0, -1.0]) @ _quarter_turn())
    if found[1]:
        rotations = _identity_first(Rotation.create_group(found[1][0]).as_matrix())
        return _with(rotations, inversion) if found[1].endswith("h") else rotations
    rotations = _identity_first(Rotation.create_group(found[2] + found[3]).as_matrix())
    if found[4] == "h":
        return _with(rotations, mirror)
    return _with(rotations, np.diag([1.0, -1.0, 1.0])) if found[4] == "v" else rotations


def _quarter_turn() -> np.ndarray:
    return Rotation.from_euler("z", 90, degrees=True).as_matrix()


def _identity_first(rotations: np.ndarray) -> np.ndarray:
    order = np.argsort(-np.trace(rotations, axis1=1, axis2=2), kind="stable")
    return np.where(np.abs(rotations[order]) < 1e-12, 0.0, rotations[order])


def _with(rotations: np.ndarray, improper: np.ndarray) -> np.ndarray:
    return np.concatenate([rotations, rotations @ improper])


def equivalent_poses(poses: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the poses whose images a particle of a point group cannot tell apart.

    A reflection of the particle, followed by one along the beam, is a rotation, and the projection does not change by
    the latter: mirror symmetries make poses equivalent too.

    Parameters
    ----------
    poses
        Rotations, shape (..., 3, 3).
    group
        Operations, as from `point_group`.

    Returns
    -------
    numpy.ndarray
        Rotations, shape (..., order, 3, 3).
    """
    turned = np.asarray(poses)[..., None, :, :] @ group
    improper = np.linalg.det(group) < 0
    turned[..., improper, :, :] = ALONG_BEAM @ turned[..., improper, :, :]
    return turned


def pose_error(poses: np.ndarray, truth: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the angles in degrees between poses, modulo a point group.

    Parameters
    ----------
    poses, truth
        Rotations, shape (..., 3, 3).
    group
        Operations, as from `point_group`.

    Returns
    -------
    numpy.ndarray
        Smallest angle of a rotation from one to an equivalent of the other, shape (...).
    """
    trace = np.einsum("...gij,...ij->...g", equivalent_poses(truth, group), poses)
    return np.degrees(np.arccos(np.clip((trace.max(-1) - 1) / 2, -1, 1)))


def sample_rotations(step: float, group: np.ndarray | None = None) -> np.ndarray:
    """Return rotations that cover all orientations evenly, or those that a point group leaves different.

    Parameters
    ----------
    step
        Angle in degrees between neighbours, about.
    group
        Operations, as from `point_group`.

    Returns
    -------
    numpy.ndarray
        Rotations, shape (n, 3, 3).

    References
    ----------
    M. Alexa, Super-Fibonacci spirals, CVPR 2022, 8291.
    """
    n = max(8, int(np.ceil(8 * np.pi**2 / np.radians(step) ** 3)))
    s = np.arange(n) + 0.5
    inner, outer = np.sqrt(s / n), np.sqrt(1 - s / n)
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    turns = np.column_stack([inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)])
    rotations = Rotation.from_quat(turns).as_matrix()
    if group is None or len(group) == 1:
        return rotations
    traces = np.concatenate(
        [
            np.trace(equivalent_poses(part, group), axis1=-2, axis2=-1)
            for part in np.array_split(rotations, 1 + n // 20_000)
        ]
    )
    return rotations[traces[:, 0] >= traces.max(1) - 1e-9]


def perturbations(step: float) -> np.ndarray:
    """Return 27 small rotations, each angle about x, y and z -1, 0 or 1 *step* in degrees; shape (27, 3, 3)."""
    grid = np.stack(np.meshgrid(*([-1, 0, 1],) * 3, indexing="ij"), -1).reshape(-1, 3)
    return Rotation.from_rotvec(grid * np.radians(step)).as_matrix()


def to_euler(poses: np.ndarray) -> np.ndarray:
    """Return the angles rot, tilt and psi of RELION in degrees, shape (n, 3).

    Examples
    --------
    >>> angles = np.array([[10.0, 20.0, 30.0]])
    >>> bool(np.allclose(to_euler(from_euler(angles)), angles))
    True
    """
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock")  # rot + psi is what counts there
        return Rotation.from_matrix(np.swapaxes(poses, -1, -2)).as_euler("ZYZ", degrees=True)


def from_euler(angles: np.ndarray) -> np.ndarray:
    """Return the poses of RELION's angles rot, tilt and psi in degrees, shape (n, 3).

    RELION turns the coordinates: its matrix is that of the intrinsic rotations ZYZ, transposed.
    """
    return np.swapaxes(Rotation.from_euler("ZYZ", np.asarray(angles, float), degrees=True).as_matrix(), -1, -2)
