"""From images to a volume: back-projection at known poses, and refinement of volume and poses in turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from particlespy_ml.core.threads import one_torch_thread
from particlespy_ml.reconstruction.fourier import BackProjection, Disk, FourierVolume, ball_mask, low_pass
from particlespy_ml.reconstruction.images import ImageBatches
from particlespy_ml.reconstruction.matching import BATCH, Matcher, Poses
from particlespy_ml.reconstruction.resolution import (
    corrected_for_mask,
    fourier_shell_correlation,
    resolution_radius,
    shell_numbers,
    signal_weight,
)

FINAL_STEP = 0.5  # degrees


@dataclass(frozen=True)
class Refined:
    """Outcome of a refinement.

    Parameters
    ----------
    volume
        Mean of the half maps, weighted by their correlation and masked, shape (box, box, box).
    half_maps
        Volumes of two halves of the images that were refined apart, shape (2, box, box, box).
    correlation
        Fourier shell correlation of the half maps, corrected for the mask, shape (box // 2 + 1,).
    poses
        Poses of all images.
    halves
        Half of each image, 0 or 1, shape (n,).
    used
        Whether each image is in the volume, shape (n,): not if its shift is the largest allowed.
    iterations
        Mappings with ``iteration``, ``radius`` (of the correlation 0.143, in units of 1 / box), ``score`` (mean) and
        ``change`` (median change of the poses in degrees).
    """

    volume: np.ndarray
    half_maps: np.ndarray
    correlation: np.ndarray
    poses: Poses
    halves: np.ndarray
    used: np.ndarray
    iterations: list[dict]


def find_poses(images: ImageBatches, matcher: Matcher, known: Poses | None = None, step: float = 2.0) -> Poses:
    """Return the poses of images, from nothing or from poses known about; batches run side by side."""

    def one(part: tuple[np.ndarray, Poses | None]) -> Poses:
        return matcher.find(part[0]) if part[1] is None else matcher.refine(part[0], part[1], step)

    found = []
    with ThreadPoolExecutor(1 if matcher.device == "cuda" else os.cpu_count()) as pool:
        for places, batch in images.batches():
            known_here = None if known is None else known[places]
            parts = [
                (batch[s : s + BATCH], None if known_here is None else known_here[s : s + BATCH])
                for s in range(0, len(batch), BATCH)
            ]
            found += list(pool.map(one, parts))
    return Poses.join(found)


def back_project(
    images: ImageBatches,
    poses: Poses,
    group: np.ndarray,
    noise: np.ndarray | None = None,
    radius: int | None = None,
    device: str = "cpu",
) -> np.ndarray:
    """Return the volume of images whose poses are known.

    Parameters
    ----------
    images, poses
        Images and their poses.
    group
        Operations of the particle's point group.
    noise
        Power of the noise in each shell, which weights the coefficients; white by default.
    radius
        Largest frequency in units of 1 / box; by default all.
    device
        Of torch.

    Returns
    -------
    numpy.ndarray
        Shape (box, box, box), float32.
    """
    import torch

    box = images.box
    disk = Disk(box, box // 2 - 1 if radius is None else radius)
    frequencies = torch.from_numpy(disk.frequencies.astype(np.float32)).to(device)
    power = np.ones(disk.radius + 1) if noise is None else np.maximum(noise[: disk.radius + 1], 1e-12 * noise.max())
    weights = torch.from_numpy((np.median(power) / power)[disk.shells].astype(np.float32)).to(device)
    sums = BackProjection(box, disk.radius, group, device)
    with one_torch_thread():
        for places, batch in images.batches():
            for start in range(0, len(batch), BATCH):
                rows = slice(places.start + start, min(places.start + start + BATCH, places.stop))
                coefficients = centred_coefficients(disk, batch[start : start + BATCH], poses.shifts[rows], device)
                turned = torch.from_numpy(poses.rotations[rows].astype(np.float32)).to(device)
                sums.insert(coefficients * weights, weights.expand(len(turned), -1), turned, frequencies)
    return sums.volume()


def centred_coefficients(disk: Disk, images: np.ndarray, shifts: np.ndarray, device: str):
    """Return the coefficients of images whose particles are moved to the middle, shape (n, coefficients)."""
    return (disk.transform(images) * disk.phases(shifts).conj()).to(device)


def noise_power(images: ImageBatches, poses: Poses, volume: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Return the mean power, in each shell, of what images differ by from the projections of a volume.

    Returns
    -------
    numpy.ndarray
        Shape (box // 2,), smoothed over neighbouring shells.
    """
    import torch

    disk = Disk(images.box, images.box // 2 - 1)
    frequencies = torch.from_numpy(disk.frequencies.astype(np.float32)).to(device)
    reference = FourierVolume(volume, disk.radius, device)
    total, count = np.zeros(disk.radius + 1), 0
    number = np.maximum(np.bincount(disk.shells, minlength=disk.radius + 1), 1)
    with one_torch_thread():
        for places, batch in images.batches():
            rows = np.arange(places.start, places.stop)[: max(1, 4096 // BATCH)]  # enough for a mean
            coefficients = centred_coefficients(disk, batch[: len(rows)], poses.shifts[rows], device)
            turned = torch.from_numpy(poses.rotations[rows].astype(np.float32)).to(device)
            apart = (coefficients - reference.slices(turned, frequencies)).abs().square().sum(0).cpu().numpy()
            total += np.bincount(disk.shells, apart, minlength=disk.radius + 1) / number
            count += len(rows)
    power = total / count
    power[0] = power[1]
    return np.convolve(np.pad(power, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")


def refine(
    images: ImageBatches,
    start: np.ndarray,
    group: np.ndarray,
    *,
    radius: int,
    max_iterations: int = 12,
    max_shift: float = 2.0,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[dict], None] | None = None,
) -> Refined:
    """Refine poses and volume in turn, in two halves of the images that never see each other.

    Both halves start from the same volume without its frequencies above *radius*; beyond, they have nothing in common
    but what the images say. Frequencies compared grow with the correlation of the halves.

    Parameters
    ----------
    images
        Images, two or more.
    start
        Volume to start from, shape (box, box, box).
    group
        Operations of the point group.
    radius
        Largest frequency kept of the start, in units of 1 / box.
    max_iterations
        Largest number of iterations; it ends when the poses stay.
    max_shift
        Largest shift in pixels.
    seed
        Seed of the halves.
    device
        Of torch.
    progress
        Called after each iteration.

    References
    ----------
    S. H. W. Scheres and S. Chen, Nat. Methods 9, 853 (2012).
    """
    from particlespy_ml.reconstruction.images import split_in_halves
    from particlespy_ml.reconstruction.rotations import pose_error

    box = images.box
    places = split_in_halves(len(images), seed)
    parts = [images.subset(p) for p in places]
    mask = ball_mask(box, images.diameter / 2 + 1, 3)
    references = [low_pass(start, radius) * mask] * 2
    poses: list[Poses | None] = [None, None]
    noise: list[np.ndarray | None] = [None, None]
    log: list[dict] = []
    last_global = 1  # iterations up to it search all orientations
    while True:
        iteration = len(log)
        changes, unmasked, halves = [], [], []
        for half, part in enumerate(parts):
            matcher = Matcher(
                references[half],
                int(min(radius, box // 2 - 1)),
                group,
                noise=noise[half],
                max_shift=max_shift,
                final_step=FINAL_STEP,
                diameter=images.diameter,
                device=device,
            )
            known = poses[half] if iteration > last_global else None
            found = find_poses(part, matcher, known, step=matcher.coarse_step / 4)
            if poses[half] is not None:
                changes.append(pose_error(found.rotations, poses[half].rotations, group))
            poses[half] = found
            unmasked.append(back_project(part, found, group, noise[half], device=device))
            halves.append(unmasked[-1] * mask)
            noise[half] = noise_power(part, found, halves[-1], device)
        correlation = fourier_shell_correlation(*halves)
        reached = resolution_radius(correlation)
        entry = {
            "iteration": iteration + 1,
            "radius": reached,
            "score": float(np.mean(np.concatenate([p.scores for p in poses]))),
            "change": float(np.median(np.concatenate(changes))) if changes else np.nan,
        }
        log.append(entry)
        if progress is not None:
            progress(entry)
        grown = len(log) > 1 and reached > log[-2]["radius"] + 1
        settled = iteration > last_global and entry["change"] <= 1.01 * FINAL_STEP and not grown
        if settled or len(log) >= max_iterations:
            break
        # a little beyond what is certain, so that it may grow
        radius = int(np.clip(max(reached + 1 + 0.1 * box / 2, 4), 4, box // 2 - 1))
        weight = signal_weight(np.maximum(correlation, 0))
        references = [filter_shells(half, weight) for half in halves]
    used = [_used(found, max_shift) for found in poses]
    for half, (part, inside) in enumerate(zip(parts, used, strict=True)):
        if not inside.all():
            rest = part.subset(np.flatnonzero(inside))
            unmasked[half] = back_project(rest, poses[half][inside], group, noise[half], device=device)
    return _join(unmasked, mask, poses, places, used, log)


def _used(poses: Poses, max_shift: float) -> np.ndarray:
    """Whether poses may be used: those whose shift is the largest allowed may lie anywhere beyond."""
    inside = np.abs(poses.shifts).max(1, initial=0) < max_shift - 1e-6
    return inside if max_shift > 0 and inside.sum() > 1 else np.ones(len(poses), bool)


def volume_of_poses(
    images: ImageBatches,
    poses: Poses,
    group: np.ndarray,
    *,
    max_shift: float = 0.0,
    seed: int = 0,
    device: str = "cpu",
) -> Refined:
    """Return the volume of images whose poses are known, and its half maps; without shifts of *max_shift* and more."""
    from particlespy_ml.reconstruction.images import split_in_halves

    places = split_in_halves(len(images), seed)
    mask = ball_mask(images.box, images.diameter / 2 + 1, 3)
    parts = [poses[p] for p in places]
    used = [_used(part, max_shift) for part in parts]
    halves = [
        back_project(images.subset(p[inside]), part[inside], group, device=device)
        for p, part, inside in zip(places, parts, used, strict=True)
    ]
    return _join(halves, mask, parts, places, used, [])


def match_model(
    images: ImageBatches,
    model: np.ndarray,
    group: np.ndarray,
    *,
    radius: int,
    max_shift: float = 2.0,
    seed: int = 0,
    device: str = "cpu",
) -> Refined:
    """Return the poses of images in a model that is known, and the volume that they give.

    The halves share the model, so their correlation is too good where images follow its noise.
    """
    matcher = Matcher(
        low_pass(model, radius),
        radius,
        group,
        max_shift=max_shift,
        final_step=FINAL_STEP,
        diameter=images.diameter,
        device=device,
    )
    found = find_poses(images, matcher)
    return volume_of_poses(images, found, group, max_shift=max_shift, seed=seed, device=device)


def _join(unmasked, mask, poses, places, used, log) -> Refined:
    """The result, from half maps without a mask: what a mask adds to their correlation is taken out."""
    order = np.argsort(np.concatenate(places))
    joined = Poses.join(poses)[order]
    half_of = np.concatenate([np.full(len(p), half) for half, p in enumerate(places)])[order]
    correlation = corrected_for_mask(*unmasked, mask)
    halves = [half * mask for half in unmasked]
    weight = signal_weight(correlation)
    weight[int(np.ceil(resolution_radius(correlation))) + 1 :] = 0
    volume = filter_shells((halves[0] + halves[1]) / 2, weight) * mask
    return Refined(volume, np.stack(halves), correlation, joined, half_of, np.concatenate(used)[order], log)


def filter_shells(volume: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return a volume whose shells are multiplied by weights, shape (shells,), the last of which holds beyond."""
    from scipy import fft

    box = volume.shape[0]
    length = np.minimum(shell_numbers(box), len(weight) - 1)
    return fft.ifftn(fft.fftn(volume) * weight[length]).real.astype(np.float32)
