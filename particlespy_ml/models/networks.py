"""Small convolutional networks that classify a window about one particle, or find the particles of a frame.

This module and `particlespy_ml.training` are the only ones that need torch, which is imported inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ARCHITECTURES = ("pooled_resnet", "spectral_resnet", "unet")


def build_network(architecture: dict) -> torch.nn.Module:
    """Build a network with random weights.

    It maps standardised windows, shape (n, 1, w, w) with w a multiple of 16, to logits, shape (n, classes). A network
    is fully convolutional up to a pooling that weighs positions by learned attention, so one set of weights serves
    windows of any size (up to 192 pixels where it looks at the power spectrum) with any empty space in them. "unet"
    maps frames, shape (n, 1, rows, columns), both multiples of 16, to maps of the same size, shape (n, outputs, rows,
    columns).

    Parameters
    ----------
    architecture
        As on a model card: ``name`` (one of `ARCHITECTURES`), ``n_classes``, and optionally ``widths`` (channels at
        1/2, 1/4, 1/8 ... of the resolution), ``blocks`` (residual blocks at each) and ``dropout``. "spectral_resnet"
        looks at the power spectrum as well, and takes ``spectral_widths``. "unet" takes ``outputs`` and ``widths`` (at
        full, 1/2 ... 1/16 of the resolution).

    Returns
    -------
    torch.nn.Module
        The network, in training mode.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown.

    Examples
    --------
    >>> import torch
    >>> network = build_network({"name": "pooled_resnet", "n_classes": 4}).eval()
    >>> network(torch.zeros(2, 1, 96, 96)).shape
    torch.Size([2, 4])
    """
    parameters = dict(architecture)
    name = parameters.pop("name", None)
    if name not in ARCHITECTURES:
        raise ValueError(f"Unknown architecture {name!r}; expected one of {ARCHITECTURES}.")
    make, needed, optional = {
        "pooled_resnet": (_pooled_resnet, "n_classes", {"widths", "blocks", "dropout"}),
        "spectral_resnet": (_spectral_resnet, "n_classes", {"widths", "blocks", "dropout", "spectral_widths"}),
        "unet": (_unet, "outputs", {"widths"}),
    }[name]
    allowed = {needed, *optional}
    if needed not in parameters or set(parameters) - allowed:
        raise ValueError(f"Architecture {name!r} takes {sorted(allowed)} and needs {needed!r}; got {parameters}.")
    return make(**parameters)


def fuse(network: torch.nn.Module) -> torch.nn.Module:
    """Return a copy for inference: batch normalisations folded into the convolutions, evaluation mode.

    The outputs stay the same to rounding; a forward pass takes less time.
    """
    import copy

    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    fused = copy.deepcopy(network).eval()
    for module in list(fused.modules()):
        children = dict(module.named_children())
        for name, child in children.items():
            partner = children.get(name.replace("conv", "norm")) if name.startswith("conv") else None
            if isinstance(partner, torch.nn.BatchNorm2d):  # not where it was fused before
                setattr(module, name, fuse_conv_bn_eval(child, partner))
                setattr(module, name.replace("conv", "norm"), _identity())
    return fused


def _identity() -> torch.nn.Module:
    from torch import nn

    return nn.Identity()


def _pooled_resnet(
    n_classes: int, widths: tuple = (24, 48, 96), blocks: tuple = (1, 2, 2), dropout: float = 0.1
) -> torch.nn.Module:
    """Residual network whose first convolution halves the resolution, with attention pooling.

    After K. He et al., CVPR (2016), and M. Ilse et al., ICML (2018) for the pooling.
    """
    return _network([_spatial_branch(widths, blocks)], 3 * widths[-1], widths[-1], n_classes, dropout)


def _spectral_resnet(
    n_classes: int,
    widths: tuple = (16, 32, 64, 96),
    blocks: tuple = (1, 2, 2, 1),
    spectral_widths: tuple = (32, 64, 96),
    dropout: float = 0.1,
) -> torch.nn.Module:
    """The network of `_pooled_resnet` beside one that sees the power spectrum on a polar grid."""
    features = 128
    branches = [_spatial_branch(widths, blocks), _spectral_branch(spectral_widths, features)]
    return _network(branches, 3 * widths[-1] + features, features, n_classes, dropout)


def _network(branches: list, inputs: int, hidden: int, n_classes: int, dropout: float) -> torch.nn.Module:
    """Branches, whose outputs are put together, and the layers that make logits of them."""
    from torch import nn

    trunk = branches[0] if len(branches) == 1 else _classes()["Branches"](*branches)
    head = nn.Sequential(
        nn.Dropout(dropout), nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_classes)
    )
    return nn.Sequential(trunk, head)


def _unet(outputs: int, widths: tuple = (16, 32, 64, 96, 128)) -> torch.nn.Module:
    """Maps of the resolution of the frame that know of its surroundings.

    After O. Ronneberger et al., MICCAI (2015), with residual blocks and fewer channels.
    """
    return _classes()["UNet"](outputs, tuple(widths))


def _spatial_branch(widths: tuple, blocks: tuple) -> torch.nn.Module:
    from torch import nn

    if len(widths) != len(blocks):
        raise ValueError(f"'widths' and 'blocks' must have the same length; got {widths} and {blocks}.")
    classes = _classes()
    layers: list[nn.Module] = [classes["ConvNorm"](1, widths[0], 5, 2)]
    for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if level:
            layers.append(classes["ConvNorm"](widths[level - 1], width, 3, 2))
        layers.extend(classes["Residual"](width) for _ in range(count))
    return nn.Sequential(*layers, classes["AttentionPooling"](widths[-1]))


def _spectral_branch(widths: tuple, features: int, radii: int = 40, angles: int = 72) -> torch.nn.Module:
    """Convolutions over radius and angle of the spectrum; each width but the first halves both."""
    from torch import nn

    classes = _classes()
    layers = [classes["PolarSpectrum"](radii, angles, 0.05, 0.31)]
    for level, width in enumerate(widths):
        layers.append(classes["Circular"](widths[level - 1] if level else 1, width, 2 if level else 1))
        layers.append(classes["Circular"](width, width, 1))
        radii = -(-radii // 2) if level else radii
    return nn.Sequential(*layers, classes["PolarPooling"](widths[-1] * radii, features))


_CACHE: dict = {}


def _classes() -> dict:
    """The modules, defined at first use so that importing this file does not import torch."""
    if _CACHE:
        return _CACHE
    import torch
    from torch import nn

    class ConvNorm(nn.Module):
        """Convolution, batch normalisation, rectifier."""

        def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
            super().__init__()
            self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            self.norm = nn.BatchNorm2d(outputs)

        def forward(self, x):
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
            y = torch.relu_(self.norm1(self.conv1(x)))
            return torch.relu_(x + self.norm2(self.conv2(y)))

    class AttentionPooling(nn.Module):
        """Mean, spread and attention-weighted mean over the positions that the attention marks as particle."""

        def __init__(self, width: int, heads: int = 2):
            super().__init__()
            self.score = nn.Conv2d(width, heads, 1)

        def forward(self, x):
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
            grid = torch.stack(
                [2 * column * edge / (columns - 1) - 1, 2 * (row * edge + edge // 2) / (edge - 1) - 1], -1
            )
            self.register_buffer("grid", grid[None], persistent=False)

        def forward(self, x):
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
            x = torch.nn.functional.pad(x, (1, 1, 0, 0), mode="circular")
            return torch.relu_(self.norm(self.conv(torch.nn.functional.pad(x, (0, 0, 1, 1)))))

    class PolarPooling(nn.Module):
        """Mean and maximum over angles for each radius, through a linear layer."""

        def __init__(self, inputs: int, outputs: int):
            super().__init__()
            self.linear = nn.Linear(2 * inputs, outputs)

        def forward(self, x):
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
            return torch.cat([branch(x) for branch in self.branches], dim=1)

    _CACHE.update(ConvNorm=ConvNorm, Residual=Residual, AttentionPooling=AttentionPooling)
    _CACHE.update(PolarSpectrum=PolarSpectrum, Circular=Circular, PolarPooling=PolarPooling)
    _CACHE.update(Branches=Branches, UNet=UNet)
    return _CACHE
