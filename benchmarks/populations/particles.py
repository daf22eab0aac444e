"""Simulated images of particles in random orientations: incoherent HAADF with shot noise."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

BACKGROUND = 0.01  # fraction of the beam, from the support
PIXEL = 0.7  # Å


def aligned_cluster(kind: str, n_atoms: int):
    """Atoms of gold about their mean, with the axes of the point group where `reconstruct` wants them.

    *kind* is "icosahedron", "decahedron", "cuboctahedron" or "truncated decahedron", an ino-decahedron less one
    corner, which has no symmetry left.
    """
    from particlespy_ml.simulation.atoms.structures import closed_shell

    body = "decahedron" if kind == "truncated decahedron" else kind
    atoms = closed_shell(body, n_atoms)
    positions = atoms.positions - atoms.positions.mean(0)
    if body == "decahedron":
        positions = positions @ _five_fold_to_z(positions).T
    if kind == "truncated decahedron":
        reach = positions @ np.array([0.8, 0.25, 0.55])
        keep = reach < np.quantile(reach, 0.88)
        atoms, positions = atoms[keep], positions[keep] - positions[keep].mean(0)
    atoms.positions = positions
    return atoms


def _five_fold_to_z(positions: np.ndarray) -> np.ndarray:
    """Rotation that brings the five-fold axis of a decahedron to z and a two-fold axis to x."""
    from scipy.spatial import cKDTree

    tree = cKDTree(positions)
    fifth = Rotation.from_rotvec
    axes = np.eye(3)
    misfit = [
        tree.query(fifth(2 * np.pi / 5 * a).apply(positions))[0].mean() for a in axes
    ]  # ASE and we build along one of the coordinate axes
    axis = axes[int(np.argmin(misfit))]
    to_z = Rotation.align_vectors([[0, 0, 1.0]], [axis])[0]
    turned = to_z.apply(positions)
    angles = np.radians(np.arange(0, 72, 1.0))
    flat = [
        cKDTree(turned).query(fifth([np.pi * np.cos(a), np.pi * np.sin(a), 0]).apply(turned))[0].mean() for a in angles
    ]
    return (Rotation.from_rotvec([0, 0, -angles[int(np.argmin(flat))]]) * to_z).as_matrix()


def views(atoms, rotations: np.ndarray, box: int, pixel: float = PIXEL, sigma: float = 0.6) -> np.ndarray:
    """Noise-free images in fractions of the beam, shape (n, box, box), about the pixel box // 2."""
    from particlespy_ml.models.incoherent import incoherent_haadf

    turned = [atoms.positions @ rotation.T + np.array([0.5, 0.5, 0]) * pixel for rotation in rotations]
    parts = [
        incoherent_haadf(turned[s : s + 32], n_pixels=box, pixel_size=pixel, sigma=sigma).numpy()
        for s in range(0, len(turned), 32)
    ]
    return np.concatenate(parts)


def exposed(images: np.ndarray, dose: float, rng: np.random.Generator, pixel: float = PIXEL) -> np.ndarray:
    """Images counted at a dose in e/Å², on a support."""
    return rng.poisson((images + BACKGROUND) * dose * pixel**2).astype(np.float32)


def with_noise(images: np.ndarray, signal_to_noise: float, rng: np.random.Generator) -> np.ndarray:
    """Images with white noise: the ratio is that of the variances over the box."""
    spread = np.sqrt(images.var((1, 2)) / signal_to_noise)[:, None, None]
    return (images + spread * rng.normal(size=images.shape)).astype(np.float32)


def as_stack(images, pixel: float = PIXEL):
    """Images as a calibrated HAADF stack."""
    from hyperspy.signals import Signal2D

    stack = Signal2D(images)
    stack.axes_manager.signal_axes.set(scale=pixel / 10, units="nm")
    stack.set_signal_type("HAADF")
    return stack
