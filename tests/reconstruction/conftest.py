"""A small asymmetric particle, whose projections are known in closed form."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

BOX = 32
WIDTH = 1.8  # pixels
_AXIS = np.arange(BOX) - BOX // 2


def blobs(points, box=BOX, width=WIDTH):
    """Volume [z, y, x] of Gaussians at points (x, y, z) in pixels from the middle, each with integral 1."""
    axis = np.arange(box) - box // 2
    lines = [np.exp(-((axis - points[:, i : i + 1]) ** 2) / (2 * width**2)) for i in range(3)]
    return np.einsum("nz,ny,nx->zyx", lines[2], lines[1], lines[0]) / (2 * np.pi * width**2) ** 1.5


def images_of(points, rotations, shifts=None, box=BOX, width=WIDTH):
    """Projections [n, y, x] of the same Gaussians, exact."""
    axis = np.arange(box) - box // 2
    turned = np.einsum("nij,pj->npi", rotations, points)[..., :2]
    if shifts is not None:
        turned = turned + shifts[:, None]
    x, y = (np.exp(-((axis - turned[..., i : i + 1]) ** 2) / (2 * width**2)) for i in range(2))
    return np.einsum("npy,npx->nyx", y, x) / (2 * np.pi * width**2)


@pytest.fixture
def points():
    """An asymmetric set of points within a radius of 9 pixels, with their mean in the middle."""
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=(9, 3))
    drawn *= rng.uniform(4, 8.5, (9, 1)) / np.linalg.norm(drawn, axis=1)[:, None]
    return drawn - drawn.mean(0)


@pytest.fixture
def rotations():
    """Forty random rotations."""
    return Rotation.random(40, random_state=1).as_matrix()


def as_stack(images, scale=0.1, signal_type="HAADF", lazy=False):
    """Images as a calibrated stack."""
    from hyperspy.signals import Signal2D

    stack = Signal2D(np.asarray(images, np.float32))
    stack.axes_manager.signal_axes.set(scale=scale, units="nm")
    stack.axes_manager.navigation_axes[0].name = "particle"
    stack.set_signal_type(signal_type)
    return stack.as_lazy() if lazy else stack
