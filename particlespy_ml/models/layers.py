"""Layers of the networks. Importing this module imports torch, so functions import it."""

from __future__ import annotations

import torch
from torch import nn


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, rectifier."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        """Shape (n, inputs, rows, columns) to (n, outputs, rows / stride, columns / stride)."""
        return torch.relu_(self.norm(self.conv(x)))


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm2.weight)  # a block starts as the identity, which trains more steadily

    def forward(self, x):
        """Shape (n, width, rows, columns), which stays."""
        y = torch.relu_(self.norm1(self.conv1(x)))
        return torch.relu_(x + self.norm2(self.conv2(y)))


class AttentionPooling(nn.Module):
    """Mean, spread and attention-weighted mean over the positions that the attention marks as particle."""

    def __init__(self, width: int, heads: int = 2):
        super().__init__()
        self.score = nn.Conv2d(width, heads, 1)

    def forward(self, x):
        """Shape (n, width, rows, columns) to (n, (heads + 1) width)."""
        flat = x.flatten(2)  # (n, width, positions)
        weights = torch.softmax(self.score(x).flatten(2), dim=-1)
        means = torch.einsum("ncp,nhp->nhc", flat, weights)
        square = torch.einsum("ncp,np->nc", flat * flat, weights[:, 0])
        spread = torch.sqrt(torch.relu(square - means[:, 0] ** 2) + 1e-4)
        return torch.cat([means.flatten(1), spread], dim=1)


class PolarSpectrum(nn.Module):
    """Logarithm of the power spectrum on a polar grid, in which a turn of the particle is a shift.

    Lattice fringes gather in few spots, so they stand out of the noise where no pixel of the image does.
    """

    def __init__(self, radii: int, angles: int, lowest: float, highest: float, edge: int = 192):
        super().__init__()
        self.edge = edge
        radius = torch.linspace(lowest, highest, radii)[:, None]  # cycles per pixel
        angle = torch.pi * ((torch.arange(angles) + 0.5) / angles - 0.5)
        row, column = radius * torch.sin(angle), radius * torch.cos(angle)
        columns = edge // 2 + 1
        grid = torch.stack([2 * column * edge / (columns - 1) - 1, 2 * (row * edge + edge // 2) / (edge - 1) - 1], -1)
        self.register_buffer("grid", grid[None], persistent=False)

    def forward(self, x):
        """Windows, shape (n, 1, w, w), to (n, 1, radii, angles)."""
        if x.shape[-1] > self.edge:
            raise ValueError(f"Expected windows of {self.edge} pixels at most, not {x.shape[-1]}.")
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()[:, 0]
            border = torch.cat([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], dim=1).mean(1)
            taper = torch.sin(torch.pi * (torch.arange(x.shape[-1], device=x.device) + 0.5) / x.shape[-1])
            taper = (2 * taper).clamp(max=1)
            x = (x - border[:, None, None]) * taper * taper[:, None]
            wave = torch.fft.rfft2(x, s=(self.edge, self.edge))
            power = torch.fft.fftshift(wave.real**2 + wave.imag**2, dim=1)[:, None]
            grid = self.grid.expand(len(x), -1, -1, -1)
            polar = torch.nn.functional.grid_sample(power, grid, mode="bilinear", align_corners=True)
            level = polar.flatten(1).median(1).values[:, None, None, None]
            return torch.log(polar / (level + 1e-12) + 0.1)


class Circular(nn.Module):
    """Convolution, batch normalisation, rectifier; the last axis is closed."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        """Shape (n, inputs, radii, angles) to (n, outputs, radii / stride, angles / stride)."""
        x = torch.nn.functional.pad(x, (1, 1, 0, 0), mode="circular")
        return torch.relu_(self.norm(self.conv(torch.nn.functional.pad(x, (0, 0, 1, 1)))))


class PolarPooling(nn.Module):
    """Mean and maximum over angles for each radius, through a linear layer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.linear = nn.Linear(2 * inputs, outputs)

    def forward(self, x):
        """Shape (n, channels, radii, angles) with inputs = channels radii, to (n, outputs)."""
        return torch.relu(self.linear(torch.cat([x.mean(-1), x.amax(-1)], 1).flatten(1)))


class UNet(nn.Module):
    """Encoder and decoder with connections between levels of the same resolution."""

    def __init__(self, outputs: int, widths: tuple):
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(1, widths[0], 3, 1), ConvNorm(widths[0], widths[0], 3, 1))
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(ConvNorm(a, b, 3, 2), *(Residual(b) for _ in range(2 if level > 1 else 1)))
            for level, (a, b) in enumerate(pairs)
        )
        self.narrow = nn.ModuleList(ConvNorm(b, a, 1, 1) for a, b in pairs[::-1])
        self.up = nn.ModuleList(Residual(a) if a > widths[0] else ConvNorm(a, a, 3, 1) for a, _ in pairs[::-1])
        self.out = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x):
        """Shape (n, 1, rows, columns), multiples of 16, to (n, outputs, rows, columns)."""
        levels = [self.stem(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for narrow, up in zip(self.narrow, self.up, strict=True):
            y = torch.nn.functional.interpolate(narrow(y), scale_factor=2, mode="bilinear", align_corners=False)
            y = up(y + levels.pop())
        return self.out(y)


class Branches(nn.Module):
    """Outputs of several branches of one input, one after the other."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        """Outputs of shape (n, features) of each branch, to (n, sum of features)."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class PolarTemplates(nn.Module):
    """Best match with each group of templates, whatever the angle in the plane.

    The Fourier transform about the centroid is sampled on a polar grid, phases included, where a turn of the particle
    is a shift that one FFT tries at all angles. Normalised correlations use all reflections and the outline together,
    so they see a lattice at doses at which no reflection stands out alone. Templates are no parameters: they are set
    by `remember` and kept with the weights.

    After P. A. Penczek et al., Ultramicroscopy 40, 33 (1992), for projection matching, and Z. Yang and P. A. Penczek,
    Ultramicroscopy 108, 959 (2008), for matching by Fourier transforms on polar grids.
    """

    def __init__(
        self, groups: tuple, outputs: int, radii: int = 28, angles: int = 96, harmonics: int = 41,
        lowest: float = 0.02, highest: float = 0.30, edge: int = 192,
    ):  # fmt: skip
        super().__init__()
        self.groups, self.edge, self.angles, self.harmonics = tuple(groups), edge, angles, harmonics
        radius = torch.linspace(lowest, highest, radii)[:, None]  # cycles per pixel
        angle = 2 * torch.pi * torch.arange(angles) / angles
        row, column = radius * torch.sin(angle), radius * torch.cos(angle)
        middle = edge // 2
        grid = torch.stack(
            [2 * (column * edge + middle) / (edge - 1) - 1, 2 * (row * edge + middle) / (edge - 1) - 1], -1
        )
        self.register_buffer("grid", grid[None], persistent=False)
        self.register_buffer("frequencies", torch.stack([row, column]).flatten(1), persistent=False)
        self.register_buffer("weight", radius.sqrt(), persistent=False)  # area of a point of the grid
        self.register_buffer("templates", torch.zeros(harmonics, 2 * radii, sum(self.groups), dtype=torch.float16))
        self.linear = nn.Linear(len(self.groups) + 1, outputs)

    def remember(self, images: list) -> None:
        """Take the templates of each group, images of shape (n, w, w) at the network's pixel size."""
        found = [len(group) for group in images]
        if tuple(found) != self.groups:
            raise ValueError(f"Expected groups of {self.groups} templates, not {tuple(found)}.")
        with torch.no_grad():
            harmonics = torch.cat([self._harmonics(group) for group in images])
            # of the order of 0.1 at most: float16 keeps four digits down to 1e-3 of that
            self.templates.copy_(torch.cat([harmonics.real, harmonics.imag], 1).permute(2, 1, 0))

    def _harmonics(self, x):
        """Angular harmonics of unit norm, shape (n, radii, harmonics), complex."""
        border = torch.cat([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], dim=1).mean(1)
        x = x - border[:, None, None]
        centre = _centroid(x)
        wave = torch.fft.fft2(x, s=(self.edge, self.edge))
        wave = torch.fft.fftshift(wave * self._ramp(x.shape[-1], x.device), dim=(1, 2))
        parts = torch.stack([wave.real, wave.imag], 1)
        polar = torch.nn.functional.grid_sample(
            parts, self.grid.expand(len(x), -1, -1, -1), mode="bilinear", align_corners=True
        )
        phase = torch.polar(torch.ones(()), 2 * torch.pi * (centre @ self.frequencies)).unflatten(
            1, self.grid.shape[1:3]
        )
        polar = torch.complex(polar[:, 0], polar[:, 1]) * phase * self.weight
        norm = polar.abs().pow(2).sum((1, 2), keepdim=True).sqrt()
        polar = polar / (norm + 1e-12)
        # correlations are real, so that half of the harmonics will do, and high ones are those of large particles alone
        return torch.fft.fft(polar, dim=2, norm="ortho")[:, :, : self.harmonics]

    def _ramp(self, size: int, device):
        """Phases that move the middle of a window of some size to the origin, where its transform varies slowly."""
        frequency = torch.fft.fftfreq(self.edge, device=device)
        one = torch.polar(torch.ones((), device=device), torch.pi * (size - 1) * frequency)
        return one[:, None] * one

    def forward(self, x):
        """Windows, shape (n, 1, w, w), to (n, outputs)."""
        if x.shape[-1] > self.edge:
            raise ValueError(f"Expected windows of {self.edge} pixels at most, not {x.shape[-1]}.")
        with torch.autocast(x.device.type, enabled=False):
            with torch.no_grad():
                best = self.matches(x.float()[:, 0])
            level = best.amax(1, keepdim=True)
            # of noisy images correlations differ by hundredths
            return torch.relu(self.linear(torch.cat([60 * (best - level), 4 * level], 1)))

    def matches(self, x):
        """Largest correlation of each window, shape (n, w, w), with each group; shape (n, groups)."""
        harmonics = self._harmonics(x).permute(2, 0, 1)  # (harmonics, n, radii)
        real, imaginary = self.templates.float().chunk(2, dim=1)
        a, b = harmonics.real.contiguous(), harmonics.imag.contiguous()
        product = torch.complex(a @ real + b @ imaginary, b @ real - a @ imaginary)
        turned = torch.fft.irfft(product, self.angles, dim=0, norm="forward").amax(0)
        return torch.stack([part.amax(1) for part in turned.split(self.groups, dim=1)], 1)


def _centroid(x):
    """Centroids (row, column) in pixels about the middle of images without background, shape (n, 2)."""
    axis = torch.arange(x.shape[-1], device=x.device) - (x.shape[-1] - 1) / 2
    smooth = torch.nn.functional.avg_pool2d(x[:, None], 9, 1, 4)[:, 0]
    inside = smooth > 0.35 * smooth.amax((1, 2), keepdim=True)
    mass = torch.where(inside, x, 0.0)
    total = mass.sum((1, 2)).clamp(min=1e-6)
    return torch.stack([(mass.sum(2) * axis).sum(1), (mass.sum(1) * axis).sum(1)], 1) / total[:, None]
