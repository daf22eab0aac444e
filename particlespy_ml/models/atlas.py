"""An atlas of templates as a layer: how well particles of each class explain a window."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from particlespy_ml.models.incoherent import incoherent_haadf
from particlespy_ml.models.layers import product_type

START_LOW_PASS = 1.0  # Å
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
        See `particlespy_ml.models.incoherent.incoherent_haadf`.
    low_pass, high_pass
        Standard deviations in Å of the Gaussian that smooths images and templates, and of the one whose result is
        subtracted (infinity subtracts the mean alone).
    band
        Highest frequency that is compared, in 1/Å.
    max_shift, near_shift, shift_step, coarse_step
        Shifts are searched on a grid: first up to *max_shift* for the one that suits the mean of a model's templates
        best, in steps of twice *shift_step*, then up to *near_shift* from there, in steps of *coarse_step* for all
        templates and of *shift_step* for the best. All in Å.
    refined
        Number of templates of each group that are compared in fine steps.

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
        low_pass: float = 0.32,
        high_pass: float = 6.0,
        band: float = 0.72,
        max_shift: float = 4.8,
        near_shift: float = 1.2,
        shift_step: float = 0.3,
        coarse_step: float = 0.9,
        refined: int = 16,
    ):
        super().__init__()
        self.n_classes = n_classes
        self.pixel_size, self.blur, self.saturation, self.band = pixel_size, blur, saturation, band
        self.low_pass, self.high_pass = low_pass, high_pass
        self.max_shift, self.near_shift = max_shift, near_shift
        self.shift_step, self.coarse_step, self.refined = shift_step, coarse_step, refined
        self.register_buffer("atoms", torch.zeros(n_atoms, 3))  # Å, the models one after another
        self.register_buffer("model_sizes", torch.zeros(n_models, dtype=torch.int32))
        self.register_buffer("model_groups", torch.zeros(n_models, dtype=torch.int32))
        self.register_buffer("group_classes", torch.zeros(n_groups, dtype=torch.int32))
        self.register_buffer("rotations", torch.zeros(n_rotations, 4))  # quaternions, scalar last, model after model
        self.register_buffer("rotation_counts", torch.zeros(n_models, dtype=torch.int32))
        self._made = _Made()
        self.register_load_state_dict_post_hook(_forget)

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
        atlas.check()
        return atlas

    def check(self) -> None:
        """Raise ValueError if models, groups and classes do not fit each other, or one is empty."""
        sizes, counts = self.model_sizes, self.rotation_counts
        if int(sizes.sum()) != len(self.atoms) or int(counts.sum()) != len(self.rotations) or (counts < 1).any():
            raise ValueError(
                f"The models of an atlas have {int(sizes.sum())} atoms and {int(counts.sum())} orientations, each at "
                f"least one; got {len(self.atoms)} and {len(self.rotations)}."
            )
        for of, number, what in (
            (self.model_groups, len(self.group_classes), "group"),
            (self.group_classes, self.n_classes, "class"),
        ):
            if sorted(set(of.tolist())) != list(range(number)):
                raise ValueError(f"Every {what} of an atlas needs a member; got members of {sorted(set(of.tolist()))}.")

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
        low_pass = self.low_pass if low_pass is None else low_pass
        high_pass = self.high_pass if high_pass is None else high_pass
        made = self.templates(edge)
        weight, norm = self._filter(made, low_pass, high_pass)
        whole = self._coefficients(windows.float())
        images = whole * weight
        images = images / torch.linalg.vector_norm(images, dim=1, keepdim=True).clamp_(min=1e-12)
        images = images * weight * self._start(whole, made)
        found = self._coarse(images, made) / norm
        groups = torch.repeat_interleave(self.model_groups.long(), self.rotation_counts.long())
        best = torch.cat([_largest(found, torch.nonzero(groups == k)[:, 0], self.refined) for k in groups.unique()], 1)
        fine = made.phases(self.near_shift, self.shift_step)
        for row, (image, chosen) in enumerate(zip(images, best, strict=True)):
            found[row, chosen] = (made.values[chosen].float() @ _as_real(image * fine).T).amax(1) / norm[chosen]
        return found

    def _coarse(self, images: torch.Tensor, made: _Templates) -> torch.Tensor:
        """Largest product of images with each template over shifts in large steps, shape (images, templates)."""
        moved = _as_real(images[:, None] * made.phases(self.near_shift, self.coarse_step))
        n, shifts = moved.shape[:2]
        moved = moved.flatten(0, 1).to(made.values.dtype)
        parts = [(moved @ part.T).unflatten(0, (n, shifts)).amax(1) for part in made.values.split(4096)]
        return torch.cat(parts, 1).float()

    def templates(self, edge: int) -> _Templates:
        """Fourier coefficients of the templates of windows of some edge, made once."""
        with self._made.lock:
            if edge not in self._made.by_edge:
                self._made.by_edge[edge] = self._make(edge)
            return self._made.by_edge[edge]

    def _make(self, edge: int) -> _Templates:
        fy, fx = self._frequencies(edge)
        values = torch.empty(len(self.rotations), 2 * len(fy), dtype=product_type())
        means, start = [], 0
        for count, images in zip(self.rotation_counts.tolist(), self._images(edge), strict=True):
            mean = torch.zeros(len(fy), dtype=torch.complex64)
            for portion in images:
                found = self._coefficients(portion)
                values[start : start + len(found)] = _as_real(found)
                mean += found.sum(0) / count
                start += len(found)
            means.append(mean / torch.linalg.vector_norm(mean))
        return _Templates(values, torch.stack(means), fy, fx)

    def _filter(self, made: _Templates, low_pass: float, high_pass: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight of each coefficient, and the norm of each template after it."""
        if (low_pass, high_pass) not in made.filters:
            square = made.fx**2 + made.fy**2
            weight = torch.exp(-2 * np.pi**2 * low_pass**2 * square)
            if np.isfinite(high_pass):
                weight = weight * (1 - torch.exp(-2 * np.pi**2 * high_pass**2 * square))
            twice = torch.repeat_interleave(weight, 2)
            norm = torch.cat([torch.linalg.vector_norm(part * twice, dim=1) for part in made.values.split(2048)])
            made.filters[low_pass, high_pass] = weight, norm
        return made.filters[low_pass, high_pass]

    def _images(self, edge: int):
        """Templates of one model after another, each in portions of shape (n, edge, edge)."""
        models = self.atoms.split(self.model_sizes.tolist())
        turns = self.rotations.split(self.rotation_counts.tolist())
        imaging = {"n_pixels": edge, "pixel_size": self.pixel_size, "sigma": self.blur, "saturation": self.saturation}
        for model, turned in zip(models, turns, strict=True):
            matrices = (Rotation.from_quat(part.double().numpy()).as_matrix() for part in turned.split(256))
            yield (incoherent_haadf(list(np.einsum("ijk,ak->iaj", m, model.numpy())), **imaging) for m in matrices)

    def _start(self, images: torch.Tensor, made: _Templates) -> torch.Tensor:
        """Phases of the shift that suits the mean of the templates of some model best, smoothed to see all outlines."""
        smooth = torch.exp(-2 * np.pi**2 * START_LOW_PASS**2 * (made.fx**2 + made.fy**2))
        means = made.means * smooth
        means = _as_real(means / torch.linalg.vector_norm(means, dim=1, keepdim=True))
        far = made.phases(self.max_shift, 2 * self.shift_step)
        products = torch.stack([_as_real(image * far) @ means.T for image in images * smooth])
        return far[products.amax(2).argmax(1)]

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


def with_head(atlas: TemplateAtlas, hidden: int, outputs: int) -> nn.Sequential:
    """An atlas and the layers that make logits of its evidence, shape (n, outputs)."""
    features = nn.BatchNorm1d(atlas.n_features, affine=False)
    return nn.Sequential(
        atlas,
        nn.Sequential(features, nn.Linear(atlas.n_features, hidden), nn.ReLU(), nn.Linear(hidden, outputs)),
    )


@dataclass
class _Templates:
    """Real and imaginary parts of Fourier coefficients in turn, their normalised means over each model, frequencies."""

    values: torch.Tensor
    means: torch.Tensor
    fy: torch.Tensor
    fx: torch.Tensor
    filters: dict = field(default_factory=dict)
    _phases: dict = field(default_factory=dict)

    def phases(self, radius: float, step: float) -> torch.Tensor:
        """What shifts on a grid within a radius make of the coefficients, shape (shifts, coefficients)."""
        if (radius, step) not in self._phases:
            shifts = _disc(radius, step)
            self._phases[radius, step] = torch.exp(2j * np.pi * (shifts[:, :1] * self.fy + shifts[:, 1:] * self.fx))
        return self._phases[radius, step]


class _Made:
    """Templates by the edge of their windows. Copies of an atlas, which nothing changes, share them."""

    def __init__(self):
        self.by_edge: dict[int, _Templates] = {}
        self.lock = threading.Lock()

    def __deepcopy__(self, memo) -> _Made:
        return self

    def __reduce__(self):
        return _Made, ()


def _forget(atlas: TemplateAtlas, keys) -> None:
    """New buffers need new templates, and must be those of an atlas."""
    atlas._made = _Made()
    atlas.check()


def _log_mean_exp(values: torch.Tensor) -> torch.Tensor:
    return torch.logsumexp(values, 1) - float(np.log(values.shape[1]))


def _disc(radius: float, step: float) -> torch.Tensor:
    """Points (row, column) of a square grid in a disc, shape (n, 2)."""
    axis = torch.arange(-round(radius / step), round(radius / step) + 1) * step
    points = torch.cartesian_prod(axis, axis)
    return points[points.norm(dim=1) <= radius + 1e-3]


def _largest(values: torch.Tensor, columns: torch.Tensor, number: int) -> torch.Tensor:
    """Columns with the largest values in each row, among those given."""
    return columns[values[:, columns].topk(min(number, len(columns)), sorted=False).indices]


def _as_real(values: torch.Tensor) -> torch.Tensor:
    """Real and imaginary parts in turn: the scalar product of two such rows is the real part of the complex one."""
    return torch.view_as_real(values).flatten(-2)
