"""Small convolutional networks that classify a window about one particle, or find the particles of a frame.

Their layers are in `particlespy_ml.models.layers`. torch is imported inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

ARCHITECTURES = ("pooled_resnet", "spectral_resnet", "unet", "template_atlas")
CPU_ONLY = ("template_atlas",)  # its templates are made and kept in main memory

_RESNET_SETTINGS = {"in_channels", "widths", "blocks", "dropout", "views"}
_ATLAS_SETTINGS = (
    *("n_classes", "n_groups", "n_models", "n_atoms", "n_rotations", "pixel_size", "blur", "saturation", "low_pass"),
    *("high_pass", "band", "max_shift", "near_shift", "shift_step", "coarse_step", "refined"),
)


def build_network(architecture: dict) -> torch.nn.Module:
    """Build a network with random weights; an atlas of templates is empty until its weights are loaded.

    It maps standardised windows, shape (n, channels, w, w) with w a multiple of 16, to logits, shape (n, classes). A
    network is fully convolutional up to a pooling that weighs positions by learned attention, so one set of weights
    serves windows of any size (up to 192 pixels where it looks at the power spectrum) with any empty space in them.
    "unet" maps frames, shape (n, channels, rows, columns), both multiples of 16, to maps of the same size, shape (n,
    outputs, rows, columns).

    Parameters
    ----------
    architecture
        As on a model card: ``name`` (one of `ARCHITECTURES`), ``n_classes``, and optionally ``in_channels`` (images
        that are seen together, by default 1), ``widths`` (channels at 1/2, 1/4, 1/8 ... of the resolution), ``blocks``
        (residual blocks at each), ``dropout`` and ``views`` (1, 2, 4 or 8 turned and mirrored windows, whose logits
        are averaged outside of training). "spectral_resnet" looks at the power spectrum of each channel as well, and
        takes ``spectral_widths``. "unet" takes ``outputs`` (any number of maps), ``in_channels``, ``widths`` (at full,
        1/2 ... 1/16 of the resolution), ``views``, ``fold`` (1, or 2 for a network that works at half of the
        resolution and four times the channels), and ``reader`` (``features``, ``outputs``, ``width``, ``layers``,
        ``heads`` of a `Reader` of what is found in the maps). "template_atlas" sees one channel and takes what
        `particlespy_ml.models.atlas.TemplateAtlas` does, and ``hidden``, the width of the layer that weighs evidence.

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
    >>> network = build_network({"name": "unet", "in_channels": 3, "outputs": 5}).eval()
    >>> network(torch.zeros(1, 3, 32, 48)).shape
    torch.Size([1, 5, 32, 48])
    """
    parameters = dict(architecture)
    name = parameters.pop("name", None)
    if name not in ARCHITECTURES:
        raise ValueError(f"Unknown architecture {name!r}; expected one of {ARCHITECTURES}.")
    make, needed, optional = {
        "pooled_resnet": (_pooled_resnet, "n_classes", _RESNET_SETTINGS),
        "spectral_resnet": (_spectral_resnet, "n_classes", _RESNET_SETTINGS | {"spectral_widths"}),
        "unet": (_unet, "outputs", {"in_channels", "widths", "views", "fold", "reader"}),
        "template_atlas": (_template_atlas, "outputs", {"hidden", *_ATLAS_SETTINGS}),
    }[name]
    allowed = {needed, *optional}
    if needed not in parameters or set(parameters) - allowed:
        raise ValueError(f"Architecture {name!r} takes {sorted(allowed)} and needs {needed!r}; got {parameters}.")
    for key in {needed, "in_channels"} & set(parameters):
        number = parameters[key]
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f"Architecture {name!r} needs a positive whole number as {key!r}; got {number!r}.")
    return make(**parameters)


def load_network(architecture: dict, weights: dict[str, np.ndarray], device: str = "cpu") -> torch.nn.Module:
    """Build a network for inference and fill it.

    Parameters
    ----------
    architecture
        See `build_network`.
    weights
        Parameters of the network by name.
    device
        As from `torch_device`.

    Raises
    ------
    ValueError, RuntimeError
        If the weights are not those of the architecture.
    """
    import numpy as np
    import torch

    network = build_network(architecture)
    network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in weights.items()})
    return fuse(network).to(device, memory_format=torch.channels_last)


def torch_device(device: str | None = None) -> str:
    """Return the device that a network runs on.

    Parameters
    ----------
    device
        "cpu", "cuda" or one of several GPUs, "cuda:0", "cuda:1" ...; by default "cuda" where there is a GPU.

    Raises
    ------
    ValueError
        If there is no such device.

    Examples
    --------
    >>> torch_device("cpu")
    'cpu'
    """
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device is None:
        return "cuda" if found else "cpu"
    allowed = ["cpu", *(["cuda", *(f"cuda:{number}" for number in range(found))] if found else [])]
    if str(device) not in allowed:
        without = "" if found else "; torch finds no GPU here"
        raise ValueError(f"Unknown device {device!r}: expected None or one of {allowed}{without}.")
    return str(device)


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
    n_classes: int,
    in_channels: int = 1,
    widths: tuple = (24, 48, 96),
    blocks: tuple = (1, 2, 2),
    dropout: float = 0.1,
    views: int = 1,
) -> torch.nn.Module:
    """Residual network whose first convolution halves the resolution, with attention pooling.

    After K. He et al., CVPR (2016), and M. Ilse et al., ICML (2018) for the pooling.
    """
    return _network(
        [_spatial_branch(in_channels, widths, blocks)], 3 * widths[-1], widths[-1], n_classes, dropout, views
    )


def _spectral_resnet(
    n_classes: int,
    in_channels: int = 1,
    widths: tuple = (16, 32, 64, 96),
    blocks: tuple = (1, 2, 2, 1),
    spectral_widths: tuple = (32, 64, 96),
    dropout: float = 0.1,
    views: int = 1,
) -> torch.nn.Module:
    """The network of `_pooled_resnet` beside one that sees the power spectrum on a polar grid."""
    features = 128
    branches = [
        _spatial_branch(in_channels, widths, blocks),
        _spectral_branch(in_channels, spectral_widths, features),
    ]
    return _network(branches, 3 * widths[-1] + features, features, n_classes, dropout, views)


def _network(branches: list, inputs: int, hidden: int, n_classes: int, dropout: float, views: int):
    """Branches, whose outputs are put together, and the layers that make logits of them."""
    from torch import nn

    from particlespy_ml.models.layers import Branches, Views

    trunk = branches[0] if len(branches) == 1 else Branches(*branches)
    head = nn.Sequential(
        nn.Dropout(dropout), nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_classes)
    )
    return Views(trunk, head, views=views)


def _template_atlas(outputs: int, hidden: int = 32, **settings) -> torch.nn.Module:
    """Templates, and the layers that weigh their evidence; these know from it how noisy the image is."""
    from particlespy_ml.models.atlas import TemplateAtlas, with_head

    return with_head(TemplateAtlas(**settings), hidden, outputs)


def _unet(
    outputs: int,
    in_channels: int = 1,
    widths: tuple = (16, 32, 64, 96, 128),
    views: int = 1,
    fold: int = 1,
    reader: dict | None = None,
) -> torch.nn.Module:
    """Maps of the resolution of the frame that know of its surroundings.

    After O. Ronneberger et al., MICCAI (2015), with residual blocks and fewer channels.
    """
    from particlespy_ml.models.layers import Reader, UNet

    network = UNet(outputs, tuple(widths), views, in_channels, fold)
    if reader is not None:
        network.reader = Reader(**reader)
    return network


def _spatial_branch(in_channels: int, widths: tuple, blocks: tuple) -> torch.nn.Module:
    from torch import nn

    from particlespy_ml.models.layers import AttentionPooling, ConvNorm, Residual

    if len(widths) != len(blocks):
        raise ValueError(f"'widths' and 'blocks' must have the same length; got {widths} and {blocks}.")
    layers: list[nn.Module] = [ConvNorm(in_channels, widths[0], 5, 2)]
    for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if level:
            layers.append(ConvNorm(widths[level - 1], width, 3, 2))
        layers.extend(Residual(width) for _ in range(count))
    return nn.Sequential(*layers, AttentionPooling(widths[-1]))


def _spectral_branch(
    in_channels: int, widths: tuple, features: int, radii: int = 40, angles: int = 72
) -> torch.nn.Module:
    """Convolutions over radius and angle of the spectrum; each width but the first halves both."""
    from particlespy_ml.models.layers import Circular, PolarPooling, PolarSpectrum, TurnInvariant

    layers = [PolarSpectrum(radii, angles, 0.05, 0.31)]
    for level, width in enumerate(widths):
        layers.append(Circular(widths[level - 1] if level else in_channels, width, 2 if level else 1))
        layers.append(Circular(width, width, 1))
        radii = -(-radii // 2) if level else radii
    return TurnInvariant(*layers, PolarPooling(widths[-1] * radii, features))
