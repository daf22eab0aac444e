"""Classification of particles by the best of many simulated templates, as users of simulation atlases do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.special import log_softmax

from particlespy_ml.models.atlas import TemplateAtlas
from particlespy_ml.simulation.atoms.structures import ISOMERS, amorphous, closed_shell
from particlespy_ml.simulation.atoms.views import orientations
from particlespy_ml.training.isomer.batches import CANONICAL

PROBE, SOURCE, DISORDER = 0.35, 0.34, 0.25  # Å, standard deviations: probe with thermal motion, source, static disorder
BLUR = float(np.sqrt(PROBE**2 + SOURCE**2 + DISORDER**2))
SATURATION = 0.03


@dataclass
class Atlas:
    """Incoherent images of ideal particles in many orientations, and the search for the best of them.

    A window is compared with each template by the normalised cross-correlation of
    `particlespy_ml.models.atlas.TemplateAtlas`. Correlation coefficients are those of the whole window, so templates of
    all sizes compete.

    Parameters
    ----------
    models
        Atomic positions in Å, each of shape (n_atoms, 3).
    model_labels
        Index into `ISOMERS` of each model.
    rotations
        Orientations of each model.

    References
    ----------
    J. P. Lewis, Vision Interface 95, 120 (1995), for normalised cross-correlation. Z. W. Wang and R. E. Palmer, Phys.
    Rev. Lett. 108, 245502 (2012), for simulation atlases of clusters in HAADF.
    """

    models: list[np.ndarray]
    model_labels: list[int]
    rotations: list[Rotation]
    _layer: TemplateAtlas = field(init=False, repr=False)

    def __post_init__(self):
        groups = list(range(len(self.models)))
        self._layer = TemplateAtlas.from_models(
            self.models,
            groups,
            self.rotations,
            self.model_labels,
            pixel_size=CANONICAL,
            blur=BLUR,
            saturation=SATURATION,
        )

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
        with torch.inference_mode():
            return self._layer.correlations(
                torch.as_tensor(np.asarray(windows, dtype=np.float32)), low_pass, high_pass
            ).numpy()

    def scores(self, windows: np.ndarray, low_pass: float = 0.5, high_pass: float = 4.0) -> np.ndarray:
        """Largest correlation with the templates of each isomer, shape (n, 4); see `correlations`.

        The isomer with the largest one is what a plain template matcher answers.
        """
        found = self.correlations(windows, low_pass, high_pass)
        return np.stack([found[:, self.labels == label].max(1) for label in range(len(ISOMERS))], 1)

    def prepare(self, edges: Iterable[int]) -> None:
        """Make the templates for windows of some sizes, where they are not made yet."""
        for edge in sorted(set(edges)):
            self._layer.templates(edge)


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
