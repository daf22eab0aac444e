"""Projection matching: the orientation and the shift of particles whose volume is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.threads import one_torch_thread
from particlespy_ml.reconstruction.fourier import Disk, FourierVolume
from particlespy_ml.reconstruction.rotations import perturbations, pose_error, sample_rotations

if TYPE_CHECKING:
    import torch

KEPT = 8  # orientations of the coarse search that are refined
BATCH = 32  # images at a time


@dataclass(frozen=True)
class Poses:
    """Orientations and shifts of particles.

    Parameters
    ----------
    rotations
        Shape (n, 3, 3).
    shifts
        (x, y) in pixels, of the particle from the middle of its image, shape (n, 2).
    scores
        Correlation coefficient of the image with the projection within the frequencies used, shape (n,).
    """

    rotations: np.ndarray
    shifts: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)

    def __getitem__(self, rows) -> Poses:
        return Poses(self.rotations[rows], self.shifts[rows], self.scores[rows])

    @classmethod
    def join(cls, parts: list[Poses]) -> Poses:
        """Poses of several lots of images, one after another."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("rotations", "shifts", "scores")))


class Matcher:
    """Finds the poses of images by comparing them with projections of a volume.

    A coarse search over all orientations at low resolution keeps the best few; these are refined in steps that are
    halved, at more and more of the resolution. The score is the likelihood of white noise of a given power in each
    shell, at the best scale of the projection: a correlation coefficient.

    Parameters
    ----------
    volume
        Shape (box, box, box).
    radius
        Largest frequency used, in units of 1 / box.
    group
        Operations of the particle's point group; only orientations that it leaves different are searched.
    noise
        Power of the noise in each shell, shape (at least radius + 1,); white by default.
    max_shift
        Largest shift in pixels along each axis.
    coarse_step
        Angle in degrees between the orientations of the coarse search; by default what the particle's size and the
        point group allow.
    final_step
        Angle in degrees at which refinement ends.
    diameter
        Diameter of the particle in pixels, of which the fineness of the coarse search depends.
    device
        Of torch.

    References
    ----------
    P. A. Penczek, R. A. Grassucci and J. Frank, Ultramicroscopy 53, 251 (1994).
    """

    def __init__(
        self,
        volume: np.ndarray,
        radius: int,
        group: np.ndarray,
        *,
        noise: np.ndarray | None = None,
        max_shift: float = 2.0,
        coarse_step: float | None = None,
        final_step: float = 0.5,
        diameter: float | None = None,
        device: str = "cpu",
    ):
        import torch

        box = volume.shape[0]
        self.disk = Disk(box, radius)
        self.device, self.group, self.max_shift = device, group, max_shift
        self.reference = FourierVolume(volume, radius, device)
        self.frequencies = torch.from_numpy(self.disk.frequencies.astype(np.float32)).to(device)
        power = np.ones(radius + 1) if noise is None else np.maximum(noise[: radius + 1], 1e-12 * np.max(noise))
        weights = np.sqrt(np.median(power) / power)[self.disk.shells]
        self.weights = torch.from_numpy(weights.astype(np.float32)).to(device)
        diameter = box / 2 if diameter is None else diameter
        self.coarse_radius = int(min(radius, max(4, np.ceil(box / diameter * 4))))
        # neighbours differ by half a resolution element at the particle's rim
        fine_enough = np.degrees(box / (self.coarse_radius * diameter))
        self.coarse_step = float(np.clip(fine_enough, 5.0, 15.0)) if coarse_step is None else coarse_step
        self.final_step = final_step
        self.coarse = sample_rotations(self.coarse_step, group)
        self.n_coarse = self.disk.count(self.coarse_radius)
        self.templates = self._templates(self.coarse)

    def _templates(self, rotations: np.ndarray) -> torch.Tensor:
        """Weighted projections within the coarse radius with unit norm, real and imaginary parts side by side."""
        import torch

        turned = torch.from_numpy(rotations.astype(np.float32)).to(self.device)
        n = self.n_coarse
        parts = []
        for part in turned.split(4096):
            values = self.reference.slices(part, self.frequencies[:n]) * self.weights[:n]
            values = torch.view_as_real(values).flatten(1)
            parts.append(values / values.norm(dim=1, keepdim=True).clamp_min(1e-20))
        return torch.cat(parts)

    def find(self, images: np.ndarray) -> Poses:
        """Return the poses of images, with nothing known of them.

        Parameters
        ----------
        images
            Shape (n, box, box), masked and without their background.
        """
        with one_torch_thread():  # the arrays are small, and threads that wait for each other cost more than they do
            return Poses.join([self._find(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])

    def refine(self, images: np.ndarray, poses: Poses, step: float) -> Poses:
        """Return better poses of images, near to those known; the first step in degrees."""
        parts = []
        with one_torch_thread():
            for start in range(0, len(images), BATCH):
                known = poses[start : start + BATCH]
                spectra = self.disk.transform(images[start : start + BATCH]).to(self.device) * self.weights
                parts.append(self._descend(spectra, known.rotations[:, None], known.shifts[:, None], step))
        return Poses.join(parts)

    def _find(self, images: np.ndarray) -> Poses:
        spectra = self.disk.transform(images).to(self.device) * self.weights
        rotations, shifts = self._search(spectra)
        return self._descend(spectra, rotations, shifts, self.coarse_step / 2)

    def _search(self, spectra: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Best few orientations and shifts of each image, shapes (n, kept, 3, 3) and (n, kept, 2)."""
        import torch

        n = self.n_coarse
        # the finest detail compared is box / coarse_radius pixels wide
        stride = max(1.0, 0.25 * self.disk.box / self.coarse_radius)
        shifts = shift_grid(self.max_shift, stride)
        phases = self.disk.phases(shifts)[:, :n].to(self.device)
        best = torch.full((len(spectra), len(self.coarse)), -np.inf, device=self.device)
        at = torch.zeros(best.shape, dtype=torch.long, device=self.device)
        for number, phase in enumerate(phases):
            moved = torch.view_as_real(spectra[:, :n] * phase.conj()).flatten(1)
            scores = moved @ self.templates.T
            better = scores > best
            best = torch.where(better, scores, best)
            at[better] = number
        order = best.argsort(dim=1, descending=True)[:, : 40 * KEPT].cpu().numpy()
        at = at.cpu().numpy()
        rotations = np.empty((len(spectra), KEPT, 3, 3))
        places = np.empty((len(spectra), KEPT, 2))
        for row, candidates in enumerate(order):
            chosen = _apart(self.coarse[candidates], 1.5 * self.coarse_step, self.group, KEPT)
            rotations[row] = self.coarse[candidates[chosen]]
            places[row] = shifts[at[row, candidates[chosen]]]
        return rotations, places

    def _descend(self, spectra: torch.Tensor, rotations: np.ndarray, shifts: np.ndarray, step: float) -> Poses:
        """Refine candidates, shapes (n, kept, 3, 3) and (n, kept, 2), and take the best of each image."""
        radius = self.coarse_radius
        # details compared grow with the angle that is left
        largest = self.disk.radius
        pixel = 0.5
        kept = rotations.shape[1]
        while True:
            last = step <= self.final_step
            reach = largest if last else int(min(largest, max(radius, np.ceil(radius * self.coarse_step / 2 / step))))
            for _ in range(2):
                rotations, shifts, scores = self._step(spectra, rotations, shifts, step, pixel, reach)
            if last:
                break
            kept = max(2, kept // 2)
            order = np.argsort(-scores, axis=1)[:, :kept]
            rotations = np.take_along_axis(rotations, order[:, :, None, None], 1)
            shifts = np.take_along_axis(shifts, order[:, :, None], 1)
            step, pixel = max(step / 2, self.final_step), max(pixel / 2, 0.1)
        best = scores.argmax(1)
        rows = np.arange(len(best))
        return Poses(rotations[rows, best], shifts[rows, best], scores[rows, best])

    def _step(self, spectra, rotations, shifts, step: float, pixel: float, reach: int):
        """Best of the neighbours of each candidate, and its score."""
        import torch

        n, kept = rotations.shape[:2]
        count = self.disk.count(reach)
        tried = perturbations(step) @ rotations[:, :, None]  # about the axes of the microscope
        offsets = shift_grid(1.0, 1.0) * pixel
        nearby = self.disk.phases(offsets)[:, :count].to(self.device)
        nearby = torch.cat([nearby.real, nearby.imag], 1).T.contiguous()
        scores = np.empty((n, kept, len(tried[0, 0]), len(offsets)), np.float32)
        norms = spectra[:, :count].abs().square().sum(1).sqrt()
        for row in range(n):
            moved = self.disk.phases(shifts[row])[:, :count].to(self.device).conj() * spectra[row, :count]
            poses = torch.from_numpy(tried[row].reshape(-1, 3, 3).astype(np.float32)).to(self.device)
            slices = self.reference.slices(poses, self.frequencies[:count]) * self.weights[:count]
            product = slices.conj().reshape(kept, -1, count) * moved[:, None]
            # real part of the sum of product * conj(phase)
            values = torch.cat([product.real, product.imag], -1).flatten(0, 1) @ nearby
            values = values / (slices.abs().square().sum(1).sqrt()[:, None].clamp_min(1e-20) * norms[row])
            scores[row] = values.reshape(kept, -1, len(offsets)).cpu().numpy()
        flat = scores.reshape(n, kept, -1)
        best = flat.argmax(-1)
        turn, offset = np.unravel_index(best, scores.shape[2:])
        rotations = np.take_along_axis(tried, turn[:, :, None, None, None], 2)[:, :, 0]
        shifts = np.clip(shifts + offsets[offset], -self.max_shift, self.max_shift)
        return rotations, shifts, np.take_along_axis(flat, best[..., None], -1)[..., 0]


def shift_grid(largest: float, stride: float) -> np.ndarray:
    """Return shifts (x, y) within a square, with no shift among them, shape (n, 2)."""
    count = int(np.floor(largest / stride + 1e-9))
    axis = np.arange(-count, count + 1) * stride
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def _apart(rotations: np.ndarray, angle: float, group: np.ndarray, count: int) -> list[int]:
    """Indices of the first rotations that are an angle in degrees apart, modulo a group; filled up with the first."""
    chosen = [0]
    same = pose_error(rotations, rotations[:1], group) < angle if len(rotations) else np.zeros(0, bool)
    for number in range(1, len(rotations)):
        if len(chosen) == count:
            break
        if not same[number]:
            chosen.append(number)
            same |= pose_error(rotations, rotations[number : number + 1], group) < angle
    return chosen + [0] * (count - len(chosen))
