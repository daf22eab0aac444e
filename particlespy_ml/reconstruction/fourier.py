"""Between volumes and their projections: central slices of the Fourier transform, to and fro."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    import torch

OVERSAMPLING = 2


def compute_device() -> str:
    """Return "cuda" where there is a GPU, otherwise "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Disk:
    """Fourier coefficients of real images within a radius, one of each pair of opposite ones, without the zeroth.

    Parameters
    ----------
    box
        Edge of the images in pixels.
    radius
        Largest spatial frequency, in units of 1 / box.
    """

    box: int
    radius: int

    @cached_property
    def frequencies(self) -> np.ndarray:
        """Frequencies (x, y) in units of 1 / box, sorted by their length, shape (n, 2), int."""
        axis = np.arange(-self.radius, self.radius + 1)
        y, x = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
        length = np.hypot(x, y)
        keep = (length < self.radius + 0.5) & ((x > 0) | ((x == 0) & (y > 0)))
        keep &= (np.abs(x) < self.box / 2) & (np.abs(y) < self.box / 2)
        order = np.argsort(length[keep], kind="stable")
        return np.column_stack([x[keep], y[keep]])[order]

    @cached_property
    def shells(self) -> np.ndarray:
        """Length of each frequency, rounded, shape (n,)."""
        return np.rint(np.hypot(*self.frequencies.T)).astype(int)

    def count(self, radius: float) -> int:
        """Number of the coefficients whose shell is within a radius; they come first."""
        return int(np.searchsorted(self.shells, radius, side="right"))

    def transform(self, images: np.ndarray) -> torch.Tensor:
        """Return the coefficients of images about the pixel box // 2, shape (n, coefficients), complex64."""
        import torch

        spectra = fft.rfft2(fft.ifftshift(np.asarray(images, np.float32), axes=(-2, -1)))
        x, y = self.frequencies.T
        return torch.from_numpy(np.ascontiguousarray(spectra[..., y, x]).astype(np.complex64))

    def phases(self, shifts: np.ndarray) -> torch.Tensor:
        """Return the factors of images moved by shifts (x, y) in pixels, shape (shifts, coefficients), complex64."""
        import torch

        turns = np.asarray(shifts, float) @ self.frequencies.T / self.box
        return torch.from_numpy(np.exp(-2j * np.pi * turns).astype(np.complex64))


class FourierVolume:
    """Fourier transform of a volume, of which central slices are taken by trilinear interpolation.

    Parameters
    ----------
    volume
        Shape (box, box, box).
    radius
        Largest frequency wanted in units of 1 / box.
    device
        Of torch.

    Notes
    -----
    The transform is sampled twice as finely as the volume's box needs, and the volume divided beforehand by the
    transform of the interpolating tent.
    """

    def __init__(self, volume: np.ndarray, radius: int, device: str = "cpu"):
        import torch

        box = volume.shape[0]
        self.half = half = OVERSAMPLING * radius + 2
        flat = (volume / tent_transform(box)).astype(np.float32)
        positive = _few_frequencies(flat, half) if _are_few(half, box) else _all_frequencies(flat, half)
        # a plane kx < 0 is that of the opposite frequencies
        negative = np.conj(positive[::-1, ::-1, :0:-1])
        cube = np.concatenate([negative, positive], axis=2).astype(np.complex64)
        self.values = torch.from_numpy(np.stack([cube.real, cube.imag])[None]).to(device)

    def slices(self, rotations: torch.Tensor, frequencies: torch.Tensor) -> torch.Tensor:
        """Return the coefficients of projections.

        Parameters
        ----------
        rotations
            Poses, shape (n, 3, 3), float32.
        frequencies
            Frequencies (x, y) in units of 1 / box, shape (m, 2), float32.

        Returns
        -------
        torch.Tensor
            Shape (n, m), complex64.
        """
        import torch

        return self.points(torch.einsum("nij,mi->nmj", rotations[:, :2], frequencies))

    def points(self, frequencies: torch.Tensor) -> torch.Tensor:
        """Return the transform at frequencies (x, y, z) in units of 1 / box, shape (n, m, 3), as complex64."""
        import torch

        at = frequencies * (OVERSAMPLING / self.half)
        found = torch.nn.functional.grid_sample(self.values, at[None, None], mode="bilinear", align_corners=True)
        return torch.complex(found[0, 0, 0], found[0, 1, 0])


class BackProjection:
    """Sum of slices in Fourier space, from which the volume comes by dividing by the sum of their weights.

    Parameters
    ----------
    box
        Edge of the images in pixels.
    radius
        Largest frequency in units of 1 / box.
    group
        Operations of the particle's point group, shape (order, 3, 3): each slice counts at every equivalent place.
    device
        Of torch.

    References
    ----------
    S. H. W. Scheres, J. Struct. Biol. 180, 519 (2012).
    """

    def __init__(self, box: int, radius: int, group: np.ndarray, device: str = "cpu"):
        import torch

        self.box, self.radius = box, radius
        self.half = OVERSAMPLING * radius + 2
        self.size = 2 * self.half + 1
        self.group = np.asarray(group, float)
        self.sums = torch.zeros((3, self.size**3), device=device)  # real and imaginary part, weight

    def insert(
        self, coefficients: torch.Tensor, weights: torch.Tensor, rotations: torch.Tensor, frequencies: torch.Tensor
    ) -> None:
        """Add slices.

        Parameters
        ----------
        coefficients
            Times their weights, shape (n, m), complex64.
        weights
            Shape (n, m), float32.
        rotations, frequencies
            As for `FourierVolume.slices`.
        """
        import torch

        values = torch.stack([coefficients.real, coefficients.imag, weights]).reshape(3, -1)
        at = torch.einsum("nij,mi->jnm", rotations[:, :2], frequencies).reshape(3, -1) * OVERSAMPLING + self.half
        low = at.floor()
        part = at - low
        x, y, z = low.long()
        first = (z * self.size + y) * self.size + x
        shares = torch.stack([1 - part, part])
        for i, j, k in np.ndindex(2, 2, 2):
            share = shares[i, 0] * shares[j, 1] * shares[k, 2]
            self.sums.index_add_(1, first + (k * self.size + j) * self.size + i, values * share)

    def _symmetric_sums(self) -> np.ndarray:
        """Sums over all equivalent places, shape (3, size, size, size) as [z, y, x]."""
        import torch

        cube = self.sums.reshape(3, self.size, self.size, self.size)
        sign = torch.tensor([1.0, -1.0, 1.0], device=cube.device)[:, None, None, None]
        cube = cube + sign * cube.flip(1, 2, 3)  # the image is real
        if len(self.group) == 1:
            return cube.cpu().numpy()
        axis = torch.arange(self.size, dtype=torch.float32, device=cube.device) - self.half
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        inside = (z >= 0) & (z**2 + y**2 + x**2 <= (OVERSAMPLING * (self.radius + 0.5)) ** 2)
        places = torch.stack([x[inside], y[inside], z[inside]], 1) / self.half
        exchanges, others = split_group(self.group)
        total = torch.zeros((3, len(places)), device=cube.device)
        for operation in others:
            at = places @ torch.from_numpy(operation.T.astype(np.float32)).to(cube.device)
            found = torch.nn.functional.grid_sample(
                cube[None], at[None, None, None], mode="bilinear", align_corners=True
            )
            total += found[0, :, 0, 0]
        filled = torch.zeros_like(cube)
        filled[:, inside] = total
        filled[:, : self.half] = (sign * filled.flip(1, 2, 3))[:, : self.half]
        by_axis = filled.permute(0, 3, 2, 1)  # [x, y, z]
        result = torch.zeros_like(by_axis)
        for operation in exchanges:
            target = np.abs(operation).argmax(1)
            flipped = [1 + row for row in range(3) if operation[row, target[row]] < 0]
            result += by_axis.flip(flipped).permute(0, *(1 + np.argsort(target)))
        return result.permute(0, 3, 2, 1).cpu().numpy()

    def volume(self, floor: float = 1e-2, prior: np.ndarray | None = None) -> np.ndarray:
        """Return the volume.

        Parameters
        ----------
        floor
            Smallest weight relative to the mean of its shell, for what few slices came near to.
        prior
            Added to the weights of each shell: the inverse of the power of the signal where weights are the inverse of
            the power of the noise (Wiener filter), shape (at least radius + 1,).

        Returns
        -------
        numpy.ndarray
            Shape (box, box, box), float32.
        """
        sums = self._symmetric_sums()
        weights = sums[2].astype(float)
        axis = np.arange(-self.half, self.half + 1) / OVERSAMPLING
        length = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
        shells = np.rint(length).astype(int)
        mean = np.bincount(shells.ravel(), weights.ravel()) / np.bincount(shells.ravel())
        weights = np.maximum(weights, floor * mean[shells])
        if prior is not None:
            weights = weights + np.interp(length, np.arange(len(prior)), prior)
        inside = (length <= self.radius + 0.5) & (weights > 0)
        cube = np.zeros(weights.shape, np.complex64)
        np.divide(sums[0] + 1j * sums[1], weights, out=cube, where=inside)
        reach = min(self.half, OVERSAMPLING * self.box // 2 - 1)
        inner = slice(self.half - reach, self.half + reach + 1)
        back = _few_to_volume if _are_few(self.half, self.box) else _all_to_volume
        found = back(cube[inner, inner, self.half : self.half + reach + 1], self.box)
        return (found / tent_transform(self.box)).astype(np.float32)


def _are_few(half: int, box: int) -> bool:
    """Whether sums over frequencies up to *half* take less time than a fast Fourier transform of the padded volume."""
    return half <= box // 2


def _waves(box: int, reach: int) -> np.ndarray:
    """exp(2 pi i k n / (2 box)) of the pixels n about box // 2 and the frequencies k up to *reach*, (box, k)."""
    places, frequencies = np.arange(box) - box // 2, np.arange(-reach, reach + 1)
    return np.exp(2j * np.pi / (OVERSAMPLING * box) * np.multiply.outer(places, frequencies)).astype(np.complex64)


def _few_frequencies(volume: np.ndarray, half: int) -> np.ndarray:
    """Transform of a volume padded to twice its box at frequencies up to *half*, as [kz, ky, kx] with kx >= 0."""
    box = len(volume)
    waves = _waves(box, half).conj()
    rows = volume.reshape(-1, box)
    along_x = rows @ np.ascontiguousarray(waves[:, half:].real) + 1j * (
        rows @ np.ascontiguousarray(waves[:, half:].imag)
    )
    along_y = np.matmul(np.ascontiguousarray(waves.T), along_x.reshape(box, box, -1))
    return np.tensordot(waves, along_y, (0, 0))


def _all_frequencies(volume: np.ndarray, half: int) -> np.ndarray:
    """As `_few_frequencies`, by a fast Fourier transform."""
    box = len(volume)
    fine = OVERSAMPLING * box
    padded = np.zeros((fine,) * 3, np.float32)
    start = fine // 2 - box // 2
    padded[(slice(start, start + box),) * 3] = volume
    spectrum = fft.rfftn(fft.ifftshift(padded), workers=-1)
    axis = np.arange(-half, half + 1)
    return spectrum[np.ix_(axis, axis, np.arange(half + 1))]


def _few_to_volume(spectrum: np.ndarray, box: int) -> np.ndarray:
    """Inverse of `_few_frequencies`: what a spectrum without other frequencies is in the box."""
    reach = spectrum.shape[2] - 1
    waves = _waves(box, reach)
    along_z = np.tensordot(waves, spectrum, (1, 0))
    along_y = np.matmul(waves, along_z).reshape(box * box, -1)
    twice = np.where(np.arange(reach + 1) > 0, 2, 1) * waves[:, reach:]  # the opposite frequencies are the conjugate
    real, imaginary = (np.ascontiguousarray(part.T.astype(np.float32)) for part in (twice.real, twice.imag))
    found = along_y.real @ real - along_y.imag @ imaginary
    return found.reshape((box,) * 3) / (OVERSAMPLING * box) ** 3


def _all_to_volume(spectrum: np.ndarray, box: int) -> np.ndarray:
    """As `_few_to_volume`, by a fast Fourier transform."""
    fine, reach = OVERSAMPLING * box, spectrum.shape[2] - 1
    padded = np.zeros((fine, fine, fine // 2 + 1), np.complex64)
    keep = np.arange(-reach, reach + 1)
    padded[np.ix_(keep, keep, np.arange(reach + 1))] = spectrum
    whole = fft.fftshift(fft.irfftn(padded, s=(fine,) * 3, workers=-1))
    start = fine // 2 - box // 2
    return whole[(slice(start, start + box),) * 3]


def split_group(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide a point group into operations that exchange axes, and one of each of their cosets.

    Grids are mapped onto themselves by the former, without interpolation. Every operation is one of the latter times
    one of the former.

    Parameters
    ----------
    group
        Shape (order, 3, 3).

    Returns
    -------
    exchanges, representatives
        Shapes (n, 3, 3) and (order / n, 3, 3).
    """
    exact = (np.abs(np.abs(group).max(2) - 1) < 1e-9).all(1)
    exchanges = np.rint(group[exact])
    representatives, seen = [], np.zeros(len(group), bool)
    for row, operation in enumerate(group):
        if not seen[row]:
            representatives.append(operation)
            coset = operation @ exchanges
            seen |= (np.abs(group[:, None] - coset).max((2, 3)) < 1e-6).any(1)
    return exchanges, np.array(representatives)


def tent_transform(box: int) -> np.ndarray:
    """Return what trilinear interpolation in Fourier space multiplies a volume by, shape (box, box, box)."""
    line = np.sinc((np.arange(box) - box // 2) / (OVERSAMPLING * box)) ** 2
    return (line[:, None, None] * line[:, None] * line).astype(np.float32)


def project(volume: np.ndarray, rotations: np.ndarray, batch: int = 64) -> np.ndarray:
    """Project a volume along the beam.

    Parameters
    ----------
    volume
        Shape (box, box, box), array [z, y, x].
    rotations
        Poses, shape (n, 3, 3).

    Returns
    -------
    numpy.ndarray
        Sums along the beam, shape (n, box, box), float32.

    Examples
    --------
    >>> volume = np.zeros((8, 8, 8))
    >>> volume[4, 4, 4] = 1
    >>> bool(np.allclose(project(volume, np.eye(3)[None])[0].sum(), 1, atol=0.05))
    True
    """
    import torch

    box = volume.shape[0]
    disk = Disk(box, box // 2 - 1)
    device = compute_device()
    reference = FourierVolume(volume, disk.radius, device)
    frequencies = torch.from_numpy(disk.frequencies.astype(np.float32)).to(device)
    x, y = disk.frequencies.T
    images = np.empty((len(rotations), box, box), np.float32)
    for start in range(0, len(rotations), batch):
        part = torch.from_numpy(np.ascontiguousarray(rotations[start : start + batch], np.float32)).to(device)
        values = reference.slices(part, frequencies).cpu().numpy()
        spectra = np.zeros((len(part), box, box), np.complex64)
        spectra[:, y, x] = values
        spectra[:, -y, -x] = np.conj(values)
        spectra[:, 0, 0] = volume.sum()
        images[start : start + batch] = fft.fftshift(fft.ifft2(spectra).real, axes=(-2, -1))
    return images


def low_pass(volume: np.ndarray, radius: float, width: float = 2.0) -> np.ndarray:
    """Return a volume without the frequencies above a radius in units of 1 / box; the edge is a cosine of a width."""
    box = volume.shape[0]
    k = np.sqrt(sum(np.square(g) for g in np.meshgrid(*(fft.fftfreq(box) * box,) * 3, indexing="ij", sparse=True)))
    keep = 0.5 * (1 + np.cos(np.pi * np.clip((k - radius + width / 2) / width, 0, 1)))
    return fft.ifftn(fft.fftn(volume) * keep).real.astype(np.float32)


def ball_mask(box: int, radius: float, ndim: int, edge: float = 3.0) -> np.ndarray:
    """Return 1 within a radius in pixels about box // 2, falling to 0 over an edge as a cosine; ndim axes."""
    axis = np.arange(box) - box // 2
    r = np.sqrt(sum(np.square(g) for g in np.meshgrid(*(axis,) * ndim, indexing="ij", sparse=True)))
    return (0.5 * (1 + np.cos(np.pi * np.clip((r - radius) / edge, 0, 1)))).astype(np.float32)
