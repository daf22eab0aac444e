"""Projected thickness of bodies: spheres, ellipsoids, rods, polyhedra and plates."""

from __future__ import annotations

import numpy as np

# half-spaces of polyhedra: directions and, for each family, how far its faces lie from the middle
_CUBE = np.array([v for axis in range(3) for v in (np.eye(3)[axis], -np.eye(3)[axis])])
_OCTAHEDRON = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) / np.sqrt(3)
_DODECAHEDRON = np.array([v for i in (-1, 1) for j in (-1, 1) for v in ((0, i, j), (i, 0, j), (i, j, 0))]) / np.sqrt(
    2
)  # rhombic
_STEEP = 1e-6  # cosine below which a face runs along the beam


def ellipsoid_thickness(x: np.ndarray, y: np.ndarray, half_axes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return the thickness along z of an ellipsoid about the origin.

    Parameters
    ----------
    x, y
        Where, of one shape.
    half_axes
        Shape (3,).
    frame
        Rows are the directions of the axes, shape (3, 3).

    Examples
    --------
    >>> import numpy as np
    >>> sphere = ellipsoid_thickness(np.array([0.0, 3]), np.zeros(2), np.full(3, 5.0), np.eye(3))
    >>> sphere.tolist()
    [10.0, 8.0]
    """
    form = frame.T @ np.diag(np.asarray(half_axes, float) ** -2.0) @ frame
    across = form[:2, :2] - np.outer(form[:2, 2], form[2, :2]) / form[2, 2]
    rest = 1 - (across[0, 0] * x * x + 2 * across[0, 1] * x * y + across[1, 1] * y * y)
    return 2 * np.sqrt(np.maximum(rest, 0) / form[2, 2])


def rod_thickness(x: np.ndarray, y: np.ndarray, radius: float, length: float, angle: float) -> np.ndarray:
    """Return the thickness of a rod with round ends that lies in the plane, turned from x towards y by radians.

    Examples
    --------
    >>> import numpy as np
    >>> rod_thickness(np.array([0.0, 10, 15]), np.zeros(3), radius=5, length=30, angle=0.0).tolist()
    [10.0, 10.0, 0.0]
    """
    along = x * np.cos(angle) + y * np.sin(angle)
    off = y * np.cos(angle) - x * np.sin(angle)
    beyond = np.maximum(np.abs(along) - (length / 2 - radius), 0)
    return 2 * np.sqrt(np.maximum(radius**2 - off**2 - beyond**2, 0))


def polyhedron_thickness(x: np.ndarray, y: np.ndarray, normals: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return the thickness along z of what lies below all faces n . r <= d.

    Parameters
    ----------
    x, y
        Where, of one shape.
    normals
        Outward, shape (faces, 3).
    distances
        Of the faces from the origin, shape (faces,).

    Examples
    --------
    >>> import numpy as np
    >>> cube = np.concatenate([np.eye(3), -np.eye(3)])
    >>> polyhedron_thickness(np.array([0.0, 4, 6]), np.zeros(3), cube, np.full(6, 5.0)).tolist()
    [10.0, 10.0, 0.0]
    """
    top, bottom = np.full(np.shape(x), np.inf), np.full(np.shape(x), -np.inf)
    for (a, b, c), distance in zip(normals, distances, strict=True):
        rest = distance - a * x - b * y
        if c > _STEEP:
            top = np.minimum(top, rest / c)
        elif c < -_STEEP:
            bottom = np.maximum(bottom, rest / c)
        else:
            top = np.where(rest < 0, -np.inf, top)
    return np.maximum(np.nan_to_num(top - bottom, posinf=0.0, neginf=0.0), 0)


def draw_faces(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the faces of a crystal of about unit radius: cubic forms that truncate each other, or any faces."""
    if rng.random() < 0.3:
        normals = rng.normal(size=(rng.integers(8, 26), 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        normals = np.concatenate([normals, -normals[: len(normals) // 2]])
        return normals, rng.uniform(0.8, 1.1, len(normals))
    families = [_CUBE, _OCTAHEDRON, _DODECAHEDRON]
    far = rng.uniform(0.8, 1.6, 3)
    far[rng.integers(3)] = 0.8
    distances = np.repeat(far, [len(one) for one in families]) * rng.uniform(0.85, 1.15, 26)
    return np.concatenate(families), distances / far.min() * 0.9


def draw_body(kind: str, diameter: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a body; returns its thickness in pixels about a middle off the pixels' centres, and where its middle is.

    Parameters
    ----------
    kind
        "sphere", "ellipsoid", "crystal", "rod", "plate".
    diameter
        In pixels; of a rod its width.
    rng
        Random generator.

    Returns
    -------
    thickness, middle
        Shape (n, n), and row and column in it.
    """
    radius = diameter / 2
    stretch = rng.uniform(1.5, 7) if kind == "rod" else rng.uniform(1, 2.0) if kind == "ellipsoid" else 1.0
    reach = int(np.ceil(radius * max(stretch, 1.75 if kind in ("crystal", "plate") else 1))) + 2
    middle = reach + rng.uniform(-0.5, 0.5, 2)
    axis = np.arange(2 * reach + 1)
    x, y = np.meshgrid(axis - middle[1], axis - middle[0])
    if kind == "rod":
        return rod_thickness(x, y, radius, diameter * stretch, rng.uniform(0, np.pi)), middle
    if kind == "plate":
        number = int(rng.integers(3, 8))
        angles = rng.uniform(0, 2 * np.pi) + np.arange(number) * 2 * np.pi / number
        normals = np.stack([np.cos(angles), np.sin(angles), np.zeros(number)], 1)
        sides = np.concatenate([normals, [(0, 0, 1), (0, 0, -1)]])
        height = radius * rng.uniform(0.2, 1.0)
        away = np.append(radius * rng.uniform(0.8, 1.0, number), [height, height])
        return polyhedron_thickness(x, y, sides, away), middle
    frame = _turned(rng)
    if kind == "crystal":
        normals, distances = draw_faces(rng)
        return polyhedron_thickness(x, y, normals @ frame.T, distances * radius), middle
    half = np.full(3, radius)
    if kind == "ellipsoid":
        half = radius * np.array([stretch**0.5, stretch**-0.5, rng.uniform(0.7, 1.0)])
    return ellipsoid_thickness(x, y, half, frame), middle


def _turned(rng: np.random.Generator) -> np.ndarray:
    """A random rotation, from the orthogonal part of a normal matrix."""
    frame, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    return frame * np.sign(np.diag(upper))
