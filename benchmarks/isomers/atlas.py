"""Classification of particles by the best of many simulated templates, as users of simulation atlases do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.special import log_softmax

from particlespy_ml.simulation.incoherent import incoherent_haadf
from particlespy_ml.simulation.structures import ISOMERS, amorphous, closed_shell
from particlespy_ml.training.dataset import CANONICAL

PROBE, SOURCE, DISORDER = 0.35, 0.34, 0.25  # Å, standard deviations: probe with thermal motion, source, static disorder
SATURATION = 0.03
BAND = 0.72  # 1/Å: up to the 220 spacing of gold
# rotations that leave the projections of a structure the same but for a turn in the plane, and how far to turn
SYMMETRY = {
    "icosahedron": ("I", 180),
    "decahedron": ("D10", 360),
    "cuboctahedron": ("O", 180),
    "amorphous": ("C1", 360),
}


def view_directions(kind: str, step: float) -> np.ndarray:
    """Beam directions about *step* degrees apart, one of each that are the same by symmetry, shape (n, 3).

    Parameters
    ----------
    kind
        One of `ISOMERS`, in the frame in which `closed_shell` builds it.
    step
        Distance of neighbouring directions in degrees.

    Examples
    --------
    >>> len(view_directions("icosahedron", 5.0)), len(view_directions("amorphous", 5.0))
    (27, 1650)
    """
    n = round(4 * np.pi / np.radians(step) ** 2)
    height = 1 - (2 * np.arange(n) + 1) / n
    azimuth = np.pi * (1 + np.sqrt(5)) * np.arange(n)
    width = np.sqrt(1 - height**2)
    points = np.column_stack([width * np.cos(azimuth), width * np.sin(azimuth), height])
    generic = np.array([0.31, 0.17, 0.94])
    group = Rotation.create_group(SYMMETRY[kind][0])
    nearest = np.max(points @ group.apply(generic).T, axis=1)
    return points[points @ generic >= nearest - 1e-9]


def orientations(kind: str, step: float, in_plane: float | None = None) -> Rotation:
    """Rotations that show an isomer from all `view_directions`, each turned in the plane by steps of *in_plane*."""
    directions = view_directions(kind, step)
    turns = np.arange(0, SYMMETRY[kind][1], in_plane or step)
    polar, azimuth = np.arccos(directions[:, 2].clip(-1, 1)), np.arctan2(directions[:, 1], directions[:, 0])
    angles = [(-phi, -theta, np.radians(turn)) for theta, phi in zip(polar, azimuth, strict=True) for turn in turns]
    return Rotation.from_euler("zyz", angles)


@dataclass
class Atlas:
    """Incoherent images of ideal particles in many orientations, and the search for the best of them.

    A window is compared with each template by the normalised cross-correlation at its best shift, after the same
    band-pass filter of both. The correlation is computed from the Fourier coefficients below `BAND`, for shifts up to
    *max_shift*. Correlation coefficients are those of the whole window, so templates of all sizes compete.

    Parameters
    ----------
    models
        Atomic positions in Å, each of shape (n_atoms, 3).
    model_labels
        Index into `ISOMERS` of each model.
    rotations
        Orientations of each model.
    max_shift, near_shift, shift_step
        Largest shift, largest distance from the shift that suits the mean of a model's templates best, and distance of
        shifts, in Å.

    References
    ----------
    J. P. Lewis, Vision Interface 95, 120 (1995), for normalised cross-correlation. Z. W. Wang and R. E. Palmer, Phys.
    Rev. Lett. 108, 245502 (2012), for simulation atlases of clusters in HAADF.
    """

    models: list[np.ndarray]
    model_labels: list[int]
    rotations: list[Rotation]
    max_shift: float = 2.4
    near_shift: float = 0.6
    shift_step: float = 0.3
    _spectra: dict = field(default_factory=dict, repr=False)

    @classmethod
    def ideal(cls, sizes: tuple[int, ...], step: float = 5.0, amorphous_models: int = 4, seed: int = 5) -> Atlas:
        """Closed shells of each isomer and glassy models of the same sizes, those in coarser steps.

        Parameters
        ----------
        sizes
            Numbers of atoms.
        step
            Distance of orientations in degrees. Glassy models have steps of 36 degrees.
        amorphous_models
            Number of glassy models of each size.
        seed
            Seed of the glassy models.
        """
        rng = np.random.default_rng(seed)
        models, labels, rotations = [], [], []
        for label, kind in enumerate(ISOMERS):
            turned = orientations(kind, 36.0 if kind == "amorphous" else step)
            for n_atoms in sizes:
                for _ in range(amorphous_models if kind == "amorphous" else 1):
                    atoms = amorphous(n_atoms, rng=rng) if kind == "amorphous" else closed_shell(kind, n_atoms)
                    models.append(atoms.positions - atoms.positions.mean(0))
                    labels.append(label)
                    rotations.append(turned)
        return cls(models, labels, rotations)

    @property
    def labels(self) -> np.ndarray:
        """Index into `ISOMERS` of each template."""
        return np.repeat(self.model_labels, [len(turned) for turned in self.rotations])

    def correlations(self, windows: np.ndarray, low_pass: float = 0.5, high_pass: float = 4.0) -> np.ndarray:
        """Normalised cross-correlation of each window with each template, at its best shift.

        Parameters
        ----------
        windows
            Square windows of one size at a pixel of 0.4 Å, shape (n, edge, edge); gain and offset do not matter.
        low_pass, high_pass
            Standard deviations in Å of the Gaussian that smooths images and templates, and of the one whose result is
            subtracted (infinity subtracts the mean alone).

        Returns
        -------
        numpy.ndarray
            Shape (n, templates), float32.
        """
        edge = windows.shape[-1]
        fy, fx = _frequencies(edge)
        square = fx**2 + fy**2
        weight = torch.exp(-2 * np.pi**2 * low_pass**2 * square)
        if np.isfinite(high_pass):
            weight = weight * (1 - torch.exp(-2 * np.pi**2 * high_pass**2 * square))
        self.prepare([edge])
        templates = self._spectra[edge]
        norm = (templates[0] ** 2 + templates[1] ** 2) @ weight**2
        images = _coefficients(torch.as_tensor(np.asarray(windows, dtype=np.float32))) * weight
        images = images / torch.linalg.vector_norm(images, dim=1, keepdim=True)
        moved = self._moved(images * weight, templates, fy, fx)
        best = [
            (moved.real.flatten(0, 1) @ real.T + moved.imag.flatten(0, 1) @ imaginary.T)
            .unflatten(0, moved.shape[:2])
            .amax(1)
            for real, imaginary in zip(templates[0].split(2048), templates[1].split(2048), strict=True)
        ]
        return (torch.cat(best, 1) / norm.sqrt()).numpy()

    def _moved(self, images: torch.Tensor, templates, fy: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        """Images at all shifts close to where the mean of the templates of some model fits best."""
        counts = [len(turned) for turned in self.rotations]
        means = torch.complex(*(torch.stack([part.mean(0) for part in whole.split(counts)]) for whole in templates))
        means = means / torch.linalg.vector_norm(means, dim=1, keepdim=True)
        far = _disc(self.max_shift, self.shift_step)
        products = torch.einsum("nf,sf,mf->nsm", images, _phase(far, fy, fx), means.conj()).real
        start = far[products.amax(2).argmax(1)]
        near = _disc(self.near_shift, self.shift_step)
        return images[:, None] * _phase(start[:, None] + near, fy, fx)

    def scores(self, windows: np.ndarray, low_pass: float = 0.5, high_pass: float = 4.0) -> np.ndarray:
        """Largest correlation with the templates of each isomer, shape (n, 4); see `correlations`.

        The isomer with the largest one is what a plain template matcher answers.
        """
        found = self.correlations(windows, low_pass, high_pass)
        return np.stack([found[:, self.labels == label].max(1) for label in range(len(ISOMERS))], 1)

    def prepare(self, edges: Iterable[int]) -> None:
        """Make the Fourier coefficients of all templates for windows of some sizes, where they are not made yet."""
        missing = sorted(set(edges) - set(self._spectra))
        parts: dict[int, list[torch.Tensor]] = {edge: [] for edge in missing}
        for model, turned in zip(self.models, self.rotations, strict=True):
            for start in range(0, len(turned) if missing else 0, 256):
                positions = [rotation.apply(model) for rotation in turned[start : start + 256]]
                images = template_images(positions, missing[-1])
                for edge in missing:
                    rim = (missing[-1] - edge) // 2
                    parts[edge].append(_coefficients(images[:, rim : rim + edge, rim : rim + edge]))
        for edge in missing:
            spectra = torch.cat(parts.pop(edge))
            self._spectra[edge] = spectra.real.contiguous(), spectra.imag.contiguous()


def _disc(radius: float, step: float) -> torch.Tensor:
    """Points (row, column) of a square grid in a disc, shape (n, 2)."""
    axis = torch.arange(-round(radius / step), round(radius / step) + 1) * step
    points = torch.cartesian_prod(axis, axis)
    return points[points.norm(dim=1) <= radius + 1e-3]


def _phase(shifts: torch.Tensor, fy: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
    return torch.exp(2j * np.pi * (shifts[..., :1] * fy + shifts[..., 1:] * fx))


def template_images(positions: list[np.ndarray], edge: int) -> torch.Tensor:
    """Images of models as the microscope blurs them, shape (n, edge, edge)."""
    sigma = float(np.sqrt(PROBE**2 + SOURCE**2 + DISORDER**2))
    return incoherent_haadf(positions, n_pixels=edge, pixel_size=CANONICAL, sigma=sigma, saturation=SATURATION)


def _frequencies(edge: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies in 1/Å of the coefficients that are kept, along rows and columns."""
    fy, fx = torch.meshgrid(torch.fft.fftfreq(edge, CANONICAL), torch.fft.rfftfreq(edge, CANONICAL), indexing="ij")
    kept = _kept(edge)
    return fy[kept], fx[kept]


def _kept(edge: int) -> torch.Tensor:
    square = torch.fft.fftfreq(edge, CANONICAL)[:, None] ** 2 + torch.fft.rfftfreq(edge, CANONICAL) ** 2
    return (square > 0) & (square < BAND**2)


def _coefficients(images: torch.Tensor) -> torch.Tensor:
    """Fourier coefficients within the band, whose scalar product is that of the images, shape (n, coefficients)."""
    edge = images.shape[-1]
    twice = torch.full((edge, edge // 2 + 1), np.sqrt(2.0))
    twice[:, 0] = 1
    return (torch.fft.rfft2(images, norm="ortho") * twice)[:, _kept(edge)]


def fit_offsets(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Offset of each isomer's score, so that the largest sum is the most probable isomer.

    Glassy particles resemble no template, so their best correlation is low where the images are good: the offsets say
    how low. Probabilities are the softmax of slope times score plus offset, fitted by maximum likelihood.

    Parameters
    ----------
    scores
        As `Atlas.scores` returns them, shape (n, isomers).
    labels
        Index into the isomers, shape (n,).

    Returns
    -------
    slope, offsets, cross_entropy
        The offsets have shape (isomers,) and are in units of the score; the cross-entropy is that of the fit.
    """
    unit = scores.std(1).mean()

    def penalised(values: np.ndarray) -> float:
        return cross_entropy(values) + 1e-3 * float((values[1:] ** 2).mean())

    def cross_entropy(values: np.ndarray) -> float:
        logits = log_softmax(values[0] * scores / unit + values[1:], axis=1)
        return -float(logits[np.arange(len(labels)), labels].mean())

    found = minimize(penalised, np.append(1.0, np.zeros(scores.shape[1]))).x
    return found[0] / unit, found[1:] * unit / found[0], cross_entropy(found)
