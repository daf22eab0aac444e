"""An atlas of templates as a layer: how well particles of each class explain a window."""

from __future__ import annotations

import threading

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from particlespy_ml._incoherent import incoherent_haadf

SHARPNESS = (50.0, 100.0, 200.0, 400.0)  # of the correlation in the evidence


class TemplateAtlas(nn.Module):
    r"""Evidence of each class in standardised windows, from templates of atomic models in many orientations.

    A template is the incoherent image of a model. A window is compared with each of them by the normalised
    cross-correlation at its best shift, after the same band-pass filter of both [1]_. With :math:`r` the correlation,
    the evidence of a group of models, such as those of one class and size, is the logarithm of the mean of
    :math:`\exp(b r)` over its templates: it sums over the orientations, which are not known, instead of trusting the
    best one. The sharpness :math:`b` that suits an image depends on its noise, so that there are several. The evidence
    of a class is the logarithm of the sum over its groups.

    The models are buffers and kept with the weights; templates are made from them when a window of a new size comes.

    Parameters
    ----------
    n_classes
        Number of classes.
    n_groups
        Number of groups of models; each belongs to a class.
    n_models, n_atoms, n_rotations
        Number of atomic models, and of the atoms and orientations of all together.
    pixel_size
        Of the windows, in Å.
    blur
        Standard deviation in Å of an atom in the templates: probe, thermal motion, source and static disorder.
    saturation
        See `particlespy_ml._incoherent.incoherent_haadf`.
    low_pass, high_pass
        Standard deviations in Å of the Gaussian that smooths images and templates, and of the one whose result is
        subtracted (infinity subtracts the mean alone).
    band
        Highest frequency that is compared, in 1/Å.
    max_shift, near_shift, shift_step
        Largest shift, largest distance from the shift that suits the mean of a model's templates best, and distance of
        shifts, in Å.

    References
    ----------
    .. [1] J. P. Lewis, Vision Interface 95, 120 (1995), for normalised cross-correlation; Z. W. Wang and R. E. Palmer,
       Phys. Rev. Lett. 108, 245502 (2012), for simulation atlases of clusters in HAADF.
    """

    def __init__(
        self,
        n_classes: int,
        n_groups: int,
        n_models: int,
        n_atoms: int,
        n_rotations: int,
        pixel_size: float = 0.4,
        blur: float = 0.55,
        saturation: float = 0.03,
        low_pass: float = 0.4,
        high_pass: float = 4.0,
        band: float = 0.72,
        max_shift: float = 2.4,
        near_shift: float = 0.6,
        shift_step: float = 0.3,
    ):
        super().__init__()
        self.n_classes = n_classes
        self.pixel_size, self.blur, self.saturation, self.band = pixel_size, blur, saturation, band
        self.low_pass, self.high_pass = low_pass, high_pass
        self.max_shift, self.near_shift, self.shift_step = max_shift, near_shift, shift_step
        self.register_buffer("atoms", torch.zeros(n_atoms, 3))  # Å, the models one after another
        self.register_buffer("model_sizes", torch.zeros(n_models, dtype=torch.int32))
        self.register_buffer("model_groups", torch.zeros(n_models, dtype=torch.int32))
        self.register_buffer("group_classes", torch.zeros(n_groups, dtype=torch.int32))
        self.register_buffer("rotations", torch.zeros(n_rotations, 4))  # quaternions, scalar last, model after model
        self.register_buffer("rotation_counts", torch.zeros(n_models, dtype=torch.int32))
        self._templates = _Shared()

    @classmethod
    def from_models(
        cls,
        models: list[np.ndarray],
        groups: list[int],
        rotations: list[Rotation],
        group_classes: list[int],
        **settings: float,
    ) -> TemplateAtlas:
        """Fill an atlas.

        Parameters
        ----------
        models
            Atomic positions in Å about the middle, each of shape (atoms, 3).
        groups
            Index of the group of each model.
        rotations
            Orientations of each model.
        group_classes
            Index of the class of each group.
        **settings
            As for the atlas, from *pixel_size* on.
        """
        sizes, counts = [len(model) for model in models], [len(turned) for turned in rotations]
        numbers = {"n_classes": max(group_classes) + 1, "n_groups": len(group_classes), "n_models": len(models)}
        atlas = cls(**numbers, n_atoms=sum(sizes), n_rotations=sum(counts), **settings)
        for buffer, values in (
            (atlas.atoms, np.concatenate(models)),
            (atlas.rotations, np.concatenate([turned.as_quat() for turned in rotations])),
            (atlas.model_sizes, sizes),
            (atlas.model_groups, groups),
            (atlas.rotation_counts, counts),
            (atlas.group_classes, group_classes),
        ):
            buffer.copy_(torch.as_tensor(values))
        return atlas

    @property
    def n_features(self) -> int:
        """Length of what `forward` returns for a window."""
        return len(SHARPNESS) * (self.n_classes + len(self.group_classes)) + 1

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the evidences of the classes and of the groups, each less their mean, and the best correlation.

        Parameters
        ----------
        windows
            Shape (n, 1, edge, edge); gain and offset do not matter.

        Returns
        -------
        torch.Tensor
            Shape (n, n_features).
        """
        found = self.correlations(windows[:, 0])
        owner = torch.repeat_interleave(self.model_groups.long(), self.rotation_counts.long())
        by_group = [found[:, owner == group] for group in range(len(self.group_classes))]
        parts = []
        for sharpness in SHARPNESS:
            groups = torch.stack([_log_mean_exp(sharpness * values) for values in by_group], 1)
            members = [groups[:, self.group_classes == k] for k in range(self.n_classes)]
            classes = torch.stack([torch.logsumexp(values, 1) for values in members], 1)
            parts += [evidence - evidence.mean(1, keepdim=True) for evidence in (classes, groups)]
        return torch.cat([*parts, found.amax(1, keepdim=True)], 1)

    def correlations(
        self, windows: torch.Tensor, low_pass: float | None = None, high_pass: float | None = None
    ) -> torch.Tensor:
        """Return the normalised cross-correlation of windows with each template at its best shift.

        Parameters
        ----------
        windows
            Square windows of one size, shape (n, edge, edge).
        low_pass, high_pass
            In place of those of the atlas.

        Returns
        -------
        torch.Tensor
            Shape (n, templates).
        """
        edge = windows.shape[-1]
        fy, fx = self._frequencies(edge)
        square = fx**2 + fy**2
        low_pass = self.low_pass if low_pass is None else low_pass
        high_pass = self.high_pass if high_pass is None else high_pass
        weight = torch.exp(-2 * np.pi**2 * low_pass**2 * square)
        if np.isfinite(high_pass):
            weight = weight * (1 - torch.exp(-2 * np.pi**2 * high_pass**2 * square))
        real, imaginary = self.templates(edge)
        norm = ((real**2 + imaginary**2) @ weight**2).sqrt()
        images = self._coefficients(windows.float()) * weight
        images = images / torch.linalg.vector_norm(images, dim=1, keepdim=True).clamp_(min=1e-12)
        moved = self._moved(images * weight, real, imaginary, fy, fx)
        best = [
            (moved.real.flatten(0, 1) @ a.T + moved.imag.flatten(0, 1) @ b.T).unflatten(0, moved.shape[:2]).amax(1)
            for a, b in zip(real.split(2048), imaginary.split(2048), strict=True)
        ]
        return torch.cat(best, 1) / norm

    def templates(self, edge: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Real and imaginary Fourier coefficients of the templates of windows of some edge, made once."""
        with self._templates.lock:
            if edge not in self._templates.by_edge:
                spectra = torch.cat([self._coefficients(images) for images in self._images(edge)])
                self._templates.by_edge[edge] = spectra.real.contiguous(), spectra.imag.contiguous()
            return self._templates.by_edge[edge]

    def _images(self, edge: int):
        """Templates in portions, shape (n, edge, edge)."""
        models = self.atoms.split(self.model_sizes.tolist())
        turns = self.rotations.split(self.rotation_counts.tolist())
        for model, turned in zip(models, turns, strict=True):
            for part in turned.split(256):
                matrices = Rotation.from_quat(part.double().numpy()).as_matrix()
                yield incoherent_haadf(
                    list(np.einsum("ijk,ak->iaj", matrices, model.numpy())),
                    n_pixels=edge,
                    pixel_size=self.pixel_size,
                    sigma=self.blur,
                    saturation=self.saturation,
                )

    def _moved(self, images, real, imaginary, fy, fx) -> torch.Tensor:
        """Images at all shifts close to where the mean of the templates of some model fits best."""
        counts = self.rotation_counts.tolist()
        means = torch.complex(
            *(torch.stack([part.mean(0) for part in half.split(counts)]) for half in (real, imaginary))
        )
        means = means / torch.linalg.vector_norm(means, dim=1, keepdim=True)
        far = _disc(self.max_shift, self.shift_step)
        products = torch.einsum("nf,sf,mf->nsm", images, _phase(far, fy, fx), means.conj()).real
        start = far[products.amax(2).argmax(1)]
        near = _disc(self.near_shift, self.shift_step)
        return images[:, None] * _phase(start[:, None] + near, fy, fx)

    def _frequencies(self, edge: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Frequencies in 1/Å of the coefficients that are kept, along rows and columns."""
        step = self.pixel_size
        fy, fx = torch.meshgrid(torch.fft.fftfreq(edge, step), torch.fft.rfftfreq(edge, step), indexing="ij")
        kept = self._kept(edge)
        return fy[kept], fx[kept]

    def _kept(self, edge: int) -> torch.Tensor:
        step = self.pixel_size
        square = torch.fft.fftfreq(edge, step)[:, None] ** 2 + torch.fft.rfftfreq(edge, step) ** 2
        return (square > 0) & (square < self.band**2)

    def _coefficients(self, images: torch.Tensor) -> torch.Tensor:
        """Fourier coefficients within the band, whose scalar product is that of the images, shape (n, coefficients)."""
        edge = images.shape[-1]
        twice = torch.full((edge, edge // 2 + 1), np.sqrt(2.0))
        twice[:, 0] = 1
        return (torch.fft.rfft2(images, norm="ortho") * twice)[:, self._kept(edge)]


def with_head(atlas: TemplateAtlas, hidden: int) -> nn.Sequential:
    """An atlas and the layers that make logits of its evidence, shape (n, classes)."""
    features = nn.BatchNorm1d(atlas.n_features, affine=False)
    return nn.Sequential(
        atlas,
        nn.Sequential(features, nn.Linear(atlas.n_features, hidden), nn.ReLU(), nn.Linear(hidden, atlas.n_classes)),
    )


class _Shared:
    """Templates by the edge of their windows, which copies of an atlas share."""

    def __init__(self):
        self.by_edge: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.lock = threading.Lock()

    def __deepcopy__(self, memo) -> _Shared:
        return self

    def __reduce__(self):
        return _Shared, ()


def _log_mean_exp(values: torch.Tensor) -> torch.Tensor:
    return torch.logsumexp(values, 1) - float(np.log(values.shape[1]))


def _disc(radius: float, step: float) -> torch.Tensor:
    """Points (row, column) of a square grid in a disc, shape (n, 2)."""
    axis = torch.arange(-round(radius / step), round(radius / step) + 1) * step
    points = torch.cartesian_prod(axis, axis)
    return points[points.norm(dim=1) <= radius + 1e-3]


def _phase(shifts: torch.Tensor, fy: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
    return torch.exp(2j * np.pi * (shifts[..., :1] * fy + shifts[..., 1:] * fx))
