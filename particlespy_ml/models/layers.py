"""Layers of the networks. Importing this module imports torch, so functions import it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

VIEWS = (1, 2, 4, 8)


def product_type() -> torch.dtype:
    """Half as many bits where the processor multiplies them in a fraction of the time."""
    can = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if can.get("avx512_bf16") or can.get("amx_bf16") else torch.float32


def turn(x: torch.Tensor, views: int) -> list[torch.Tensor]:
    """Images, shape (n, channels, rows, columns), as they are, turned by a half and by quarters, and mirrored."""
    seen = [x.rot90(turns, (2, 3)) for turns in (0, 2, 1, 3)[:views]]
    return seen + [view.flip(3) for view in seen] if views == 8 else seen


def turn_back(seen: list[torch.Tensor]) -> list[torch.Tensor]:
    """Views of `turn` as they were before."""
    return [(x.flip(3) if n > 3 else x).rot90((0, 2, 3, 1)[n % 4], (2, 3)) for n, x in enumerate(seen)]


def _check_views(views: int) -> int:
    if views not in VIEWS:
        raise ValueError(f"'views' must be 1, 2 (half a turn), 4 (turns) or 8 (mirrored too); got {views}.")
    return views


class Views(nn.Sequential):
    """A trunk and a head; outside of training the mean of their outputs over turned and mirrored windows.

    A microscope knows no up or left, but a network only nearly so: what is left of it averages out.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module, views: int):
        super().__init__(trunk, head)
        self.views = _check_views(views)

    def forward(self, x):
        """Shape (n, channels, w, w) to (n, outputs)."""
        if self.training:
            return super().forward(x)
        return torch.stack([self[1](features) for features in self.features(x)]).mean(0)

    def features(self, x) -> list:
        """What the trunk makes of each view of windows."""
        seen = turn(x, self.views)
        made = [self._turn_invariant(view) for view in seen[::4]]
        return [self._of_view(view, made[number // 4]) for number, view in enumerate(seen)]

    def until_sure(self, x, is_sure: Callable[[torch.Tensor], torch.Tensor]):
        """Return what `forward` does, but look no further where two of eight views are sure.

        These are the window and its mirror image, which differ most: turns average out less.

        Parameters
        ----------
        x
            Shape (n, channels, w, w).
        is_sure
            Called with outputs, shape (n, outputs); returns booleans, shape (n,).
        """
        if self.views < 8:
            return self(x)
        views = x, x.flip(3)
        made = [self._turn_invariant(view) for view in views]
        result = sum(self[1](self._of_view(view, part)) for view, part in zip(views, made, strict=True)) / 2
        rest = ~is_sure(result)
        if rest.any():
            made = [[None if output is None else output[rest] for output in part] for part in made]
            turned = [(view, made[number // 4]) for number, view in enumerate(turn(x[rest], 8)) if number % 4]
            result[rest] = (2 * result[rest] + sum(self[1](self._of_view(view, part)) for view, part in turned)) / 8
        return result

    def _turn_invariant(self, x) -> list:
        return self[0].turn_invariant(x) if isinstance(self[0], Branches) else []

    def _of_view(self, x, made: list) -> torch.Tensor:
        return self[0].of_view(x, made) if isinstance(self[0], Branches) else self[0](x)


class TurnInvariant(nn.Sequential):
    """Layers whose outputs are the same for a window and the window turned by quarters, but not when it is mirrored."""


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
        y = self.norm2(self.conv2(torch.relu_(self.norm1(self.conv1(x)))))
        return torch.relu_(y.add_(x))


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
        """Windows, shape (n, channels, w, w), to (n, channels, radii, angles)."""
        if x.shape[-1] > self.edge:
            raise ValueError(f"Expected windows of {self.edge} pixels at most, not {x.shape[-1]}.")
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            border = torch.cat([x[..., 0, :], x[..., -1, :], x[..., 0], x[..., -1]], dim=-1).mean(-1)
            taper = torch.sin(torch.pi * (torch.arange(x.shape[-1], device=x.device) + 0.5) / x.shape[-1])
            taper = (2 * taper).clamp(max=1)
            x = (x - border[..., None, None]) * taper * taper[:, None]
            wave = torch.fft.rfft2(x, s=(self.edge, self.edge))
            power = torch.fft.fftshift(wave.real**2 + wave.imag**2, dim=-2)
            grid = self.grid.expand(len(x), -1, -1, -1)
            polar = torch.nn.functional.grid_sample(power, grid, mode="bilinear", align_corners=True)
            level = polar.flatten(2).median(2).values[..., None, None]
            return torch.log(polar / (level + 1e-12) + 0.1)


class Circular(nn.Module):
    """Convolution, batch normalisation, rectifier; the last axis is closed."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, (1, 0), bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        """Shape (n, inputs, radii, angles) to (n, outputs, radii / stride, angles / stride)."""
        closed = torch.cat([x[..., -1:], x, x[..., :1]], dim=-1)
        return torch.relu_(self.norm(self.conv(closed)))


class PolarPooling(nn.Module):
    """Mean and maximum over angles for each radius, through a linear layer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.linear = nn.Linear(2 * inputs, outputs)

    def forward(self, x):
        """Shape (n, channels, radii, angles) with inputs = channels radii, to (n, outputs)."""
        return torch.relu(self.linear(torch.cat([x.mean(-1), x.amax(-1)], 1).flatten(1)))


class UNet(nn.Module):
    """Encoder and decoder with connections between levels of the same resolution.

    Outside of training the maps are the mean over turned and mirrored frames, as in `Views`. With *fold*, squares of
    that many pixels along each edge become channels before the first layer and pixels again after the last one.
    """

    def __init__(self, outputs: int, widths: tuple, views: int = 1, in_channels: int = 1, fold: int = 1):
        super().__init__()
        self.views, self.fold = _check_views(views), fold
        first = in_channels * fold**2
        self.stem = nn.Sequential(ConvNorm(first, widths[0], 3, 1), ConvNorm(widths[0], widths[0], 3, 1))
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(ConvNorm(a, b, 3, 2), *(Residual(b) for _ in range(2 if level > 1 else 1)))
            for level, (a, b) in enumerate(pairs)
        )
        self.narrow = nn.ModuleList(ConvNorm(b, a, 1, 1) for a, b in pairs[::-1])
        self.up = nn.ModuleList(Residual(a) if a > widths[0] else ConvNorm(a, a, 3, 1) for a, _ in pairs[::-1])
        self.out = nn.Conv2d(widths[0], outputs * fold**2, 1)

    def forward(self, x):
        """Shape (n, channels, rows, columns), multiples of 16, to (n, outputs, rows, columns)."""
        if self.training or self.views == 1:
            return self._maps(x)
        return torch.stack(turn_back([self._maps(view) for view in turn(x, self.views)])).mean(0)

    def _maps(self, x):
        levels = [self.stem(x if self.fold == 1 else torch.nn.functional.pixel_unshuffle(x, self.fold))]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for narrow, up in zip(self.narrow, self.up, strict=True):
            y = torch.nn.functional.interpolate(narrow(y), scale_factor=2, mode="bilinear", align_corners=False)
            y = up(y.add_(levels.pop()))
        return self.out(y) if self.fold == 1 else torch.nn.functional.pixel_shuffle(self.out(y), self.fold)


class Reader(nn.Module):
    """Logits from the features of all columns of an image, each of which sees all others.

    What the columns have in common, as the optics, shows in all of them together.

    After A. Vaswani et al., NeurIPS 30 (2017), without an order; J. Lee et al., ICML 97, 3744 (2019).
    """

    def __init__(
        self, features: int, outputs: int, width: int = 128, layers: int = 3, heads: int = 4, dropout: float = 0.1
    ):
        super().__init__()
        self.register_buffer("middle", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.register_buffer("temperature", torch.ones(()))
        self.first = nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))
        settings = {"dropout": dropout, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 3 * width, **settings) for _ in range(layers)
        )
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, x, known=None):
        """Shape (n, features) of one image to (n, outputs), or (images, n, features) with *known* (images, n)."""
        alone = x.ndim == 2
        x = self.first(((x - self.middle) / self.spread).clamp(-6, 6))
        x = x[None] if alone else x
        padding = None if known is None else ~known
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        x = self.last(x) / self.temperature
        return x[0] if alone else x


class Branches(nn.Module):
    """Outputs of several branches of one input, one after the other."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        """Outputs of shape (n, features) of each branch, to (n, sum of features)."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)

    def turn_invariant(self, x) -> list:
        """Outputs of the branches that are the same for any turn of their input; None for the others."""
        return [branch(x) if isinstance(branch, TurnInvariant) else None for branch in self.branches]

    def of_view(self, x, made: list) -> torch.Tensor:
        """Outputs for a view of which `turn_invariant` made some already."""
        pairs = zip(self.branches, made, strict=True)
        return torch.cat([branch(x) if output is None else output for branch, output in pairs], dim=1)
