"""Turn one volume onto another, such as a reconstruction onto a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.core.threads import one_torch_thread
from particlespy_ml.reconstruction.fourier import FourierVolume
from particlespy_ml.reconstruction.rotations import perturbations, sample_rotations


@dataclass(frozen=True)
class Registration:
    """How a volume lies on another.

    Parameters
    ----------
    volume
        The volume, turned, moved and, where that fits better, mirrored.
    rotation
        Rotation that was applied, shape (3, 3), of (x, y, z).
    mirrored
        Whether it was mirrored along z first: projections alone do not tell the hand of a particle.
    shift
        (x, y, z) in pixels by which it was moved after the rotation.
    correlation
        Correlation coefficient with the other within the frequencies used.
    """

    volume: np.ndarray
    rotation: np.ndarray
    mirrored: bool
    shift: np.ndarray
    correlation: float


def register_volume(volume: np.ndarray, reference: np.ndarray, radius: int, mirror: bool = True) -> Registration:
    """Turn a volume onto another.

    Parameters
    ----------
    volume, reference
        Shape (box, box, box), with the particles near to the middle.
    radius
        Largest frequency compared, in units of 1 / box.
    mirror
        Also try the mirror image.

    Returns
    -------
    Registration

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> inside = np.abs(np.indices((24, 24, 24)) - 12).max(0) < 8
    >>> reference = ndi.gaussian_filter(rng.normal(size=inside.shape), 2) * inside
    >>> turned = np.rot90(np.pad(reference, ((0, 1),) * 3), axes=(1, 2))[:24, :24, :24]
    >>> register_volume(turned, reference, 5).correlation > 0.9
    True
    """
    tries = [(_search(v, reference, radius), flag) for v, flag in _hands(volume, mirror)]
    (rotation, correlation), mirrored = max(tries, key=lambda found: found[0][1])
    hand = mirror_along_z(volume) if mirrored else volume
    shift = np.zeros(3)
    for _ in range(2):
        moved = rotate_volume(hand, rotation, shift)
        step = _shift(moved, reference)
        shift = shift + step
        # the search turns about the middle, so the volume is moved there first
        rotation, correlation = _descend(
            rotate_volume(hand, np.eye(3), rotation.T @ shift), reference, radius, rotation[None], 4.0
        )
    return Registration(rotate_volume(hand, rotation, shift), rotation, mirrored, shift, correlation)


def mirror_along_z(volume: np.ndarray) -> np.ndarray:
    """Return the mirror image about the plane of the pixel box // 2."""
    flipped = volume[::-1]
    return np.roll(flipped, 1, axis=0) if volume.shape[0] % 2 == 0 else flipped


def rotate_volume(volume: np.ndarray, rotation: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
    """Return a volume turned about box // 2 by a rotation of (x, y, z), then moved by (x, y, z) in pixels."""
    middle = np.full(3, volume.shape[0] // 2, float)
    back = rotation[::-1, ::-1].T  # of (z, y, x), from the new to the old
    moved = np.zeros(3) if shift is None else np.asarray(shift)[::-1]
    return ndi.affine_transform(volume, back, middle - back @ (middle + moved), order=3, mode="constant")


def _hands(volume: np.ndarray, mirror: bool):
    yield volume, False
    if mirror:
        yield mirror_along_z(volume), True


def _ball(radius: int) -> np.ndarray:
    """Frequencies (x, y, z) of half a ball without its middle, shape (n, 3)."""
    axis = np.arange(-radius, radius + 1)
    z, y, x = (g.ravel() for g in np.meshgrid(axis, axis, axis, indexing="ij"))
    half = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    keep = half & (x**2 + y**2 + z**2 <= radius**2)
    return np.column_stack([x, y, z])[keep]


def _search(volume: np.ndarray, reference: np.ndarray, radius: int) -> tuple[np.ndarray, float]:
    """Best of all rotations at low resolution, refined."""
    low = min(radius, 6)
    rotations = sample_rotations(12.0)
    best = rotations[np.argsort(-_scores(*_spectra(volume, reference, low), rotations))[:20]]
    return _descend(volume, reference, radius, best, 6.0)


def _descend(volume, reference, radius: int, rotations: np.ndarray, step: float) -> tuple[np.ndarray, float]:
    spectra = _spectra(volume, reference, radius)
    while step > 0.1:
        tried = (perturbations(step) @ rotations[:, None]).reshape(-1, 3, 3)
        scores = _scores(*spectra, tried)
        order = np.argsort(-scores)
        rotations = tried[order[: max(1, len(rotations) // 2)]]
        step /= 2
    return rotations[0], float(scores[order[0]])


def _scores(turning: FourierVolume, frequencies, target, rotations: np.ndarray) -> np.ndarray:
    """Correlation coefficients of the turned volume with the reference; see `_spectra`."""
    import torch

    scores = []
    with one_torch_thread():
        for part in torch.from_numpy(np.ascontiguousarray(rotations, np.float32)).split(512):
            found = turning.points(torch.einsum("nij,mi->nmj", part, frequencies))
            product = (found.conj() * target).real.sum(1)
            scores.append(product / (found.abs().square().sum(1).sqrt() * target.abs().square().sum().sqrt()))
    return torch.cat(scores).numpy()


def _spectra(volume, reference, radius: int):
    """Transform of the volume that is turned, frequencies, and the reference's coefficients there."""
    import torch

    points = _ball(radius)
    x, y, z = points.T
    wanted = fft.fftn(fft.ifftshift(reference))[z, y, x]
    frequencies = torch.from_numpy(points.astype(np.float32))
    return FourierVolume(volume, radius), frequencies, torch.from_numpy(wanted.astype(np.complex64))


def _shift(volume: np.ndarray, reference: np.ndarray, largest: int = 4) -> np.ndarray:
    """Shift (x, y, z) in pixels that brings a volume onto the reference, to a tenth of a pixel."""
    from skimage.registration import phase_cross_correlation

    found, _, _ = phase_cross_correlation(reference, volume, upsample_factor=10, normalization=None)
    return np.clip(found[::-1], -largest, largest)
