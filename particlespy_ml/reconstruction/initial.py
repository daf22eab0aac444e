"""A first volume from images alone, by expectation maximisation at low resolution."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from particlespy_ml.core.threads import one_torch_thread
from particlespy_ml.reconstruction.fourier import BackProjection, Disk, FourierVolume, ball_mask
from particlespy_ml.reconstruction.images import ImageBatches
from particlespy_ml.reconstruction.matching import BATCH, shift_grid
from particlespy_ml.reconstruction.rotations import sample_rotations

_logger = logging.getLogger(__name__)

MOST_IMAGES = 1000  # a first volume needs no more


def initial_volume(
    images: ImageBatches,
    group: np.ndarray,
    *,
    radius: int,
    iterations: int = 20,
    starts: int = 6,
    max_shift: float = 1.0,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[], None] | None = None,
) -> np.ndarray:
    """Return a volume found from images alone.

    From random orientations, whose volume is nearly a ball as wide as the mean image, every image is given a
    probability of each orientation, and the volume is made anew of images in all their likely orientations. The
    resolution grows meanwhile, and the noise is taken for larger than it is at first, so that the probabilities do not
    settle too soon. The best of several starts is kept. Its handedness is a matter of chance: projections have none.

    Parameters
    ----------
    images
        Images.
    group
        Operations of the point group.
    radius
        Largest frequency in units of 1 / box.
    iterations, starts
        Iterations of each start.
    max_shift
        Largest shift in pixels.
    seed
        Seed.
    device
        Of torch.
    progress
        Called after each iteration.

    Returns
    -------
    numpy.ndarray
        Shape (box, box, box), float32.

    References
    ----------
    S. H. W. Scheres, J. Mol. Biol. 415, 406 (2012). A. Punjani et al., Nat. Methods 14, 290 (2017).
    """
    rng = np.random.default_rng(seed)
    if len(images) > MOST_IMAGES:
        images = images.subset(np.sort(rng.choice(len(images), MOST_IMAGES, replace=False)))
    disk = Disk(images.box, radius)
    spectra = np.concatenate([disk.transform(batch).numpy() for _, batch in images.batches()])
    angle = np.degrees(images.box / (radius * images.diameter))
    rotations = sample_rotations(float(np.clip(angle, 7.0, 20.0)), group)
    mask = ball_mask(images.box, images.diameter / 2 + 1, 3)
    search = _Maximisation(spectra, disk, rotations, group, mask, max_shift, device)
    best, best_likelihood, drawn = None, -np.inf, None
    with one_torch_thread():
        for start in range(starts):
            # a ball has two ways to become faceted, which are each other's opposite: every second start takes the other
            drawn = 2 * mean_over_angles(drawn) - drawn if start % 2 else search.random_start(rng)
            volume = drawn
            for iteration in range(iterations):
                part = iteration / max(iterations - 1, 1)
                reach = int(np.ceil(3 + (radius - 3) * min(1.0, 1.5 * part)))
                volume, likelihood = search.step(volume, min(reach, radius), cooled=min(1.0, 1.3 * part))
                if progress is not None:
                    progress()
            _logger.info("start %d: log likelihood %.1f an image", start, likelihood)
            if likelihood > best_likelihood:
                best, best_likelihood = volume, likelihood
    return best


def mean_over_angles(volume: np.ndarray) -> np.ndarray:
    """Return the mean of a volume over all orientations about box // 2, in shells of a pixel."""
    axis = np.arange(volume.shape[0]) - volume.shape[0] // 2
    shells = np.rint(np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)).astype(int)
    mean = np.bincount(shells.ravel(), volume.ravel()) / np.bincount(shells.ravel())
    return mean[shells].astype(np.float32)


class _Maximisation:
    """Expectation and maximisation for all images over a fixed set of orientations."""

    def __init__(self, spectra, disk: Disk, rotations, group, mask, max_shift: float, device: str):
        import torch

        self.disk, self.group, self.mask, self.device = disk, group, mask, device
        self.frequencies = torch.from_numpy(disk.frequencies.astype(np.float32)).to(device)
        self.rotations = torch.from_numpy(rotations.astype(np.float32)).to(device)
        shifts = shift_grid(max_shift, max(1.0, 0.25 * disk.box / disk.radius))
        phases = disk.phases(shifts).conj().to(device)
        # (images, shifts, coefficients)
        self.spectra = torch.from_numpy(spectra).to(device)[:, None] * phases

    def random_start(self, rng: np.random.Generator) -> np.ndarray:
        """Volume of the images in random orientations."""
        import torch

        drawn = self.rotations[torch.from_numpy(rng.integers(len(self.rotations), size=len(self.spectra)))]
        middle = self.spectra.shape[1] // 2
        sums = BackProjection(self.disk.box, self.disk.radius, self.group, self.device)
        sums.insert(self.spectra[:, middle], torch.ones_like(self.spectra[:, middle].real), drawn, self.frequencies)
        return sums.volume() * self.mask

    def step(self, volume: np.ndarray, reach: int, cooled: float) -> tuple[np.ndarray, float]:
        """Volume made anew, and the mean logarithm of the likelihood of the images given the old one.

        At first (*cooled* 0) the noise is taken for so large that the logarithm of an image's likelihoods of the
        orientations spreads by 1; in the end (1) it is what it is.
        """
        import torch

        count = self.disk.count(reach)
        reference = FourierVolume(volume, reach, self.device)
        frequencies = self.frequencies[:count]
        templates = torch.view_as_real(reference.slices(self.rotations, frequencies)).flatten(1)
        power = templates.square().sum(1).clamp_min(1e-20)
        noise = self._noise(templates, power, count)
        some = torch.view_as_real(self.spectra[:200, self.spectra.shape[1] // 2, :count]).flatten(1)
        spread = float(((some @ templates.T).square() / power / (2 * noise)).std(1).mean())
        heat = max(1.0, spread) ** (1 - cooled)
        sums = torch.zeros_like(templates)
        weights = torch.zeros(len(templates), device=self.device)
        likelihood = 0.0
        for part in self.spectra[..., :count].split(BATCH):
            moved = torch.view_as_real(part).flatten(2)
            # the likelihood at the best scale of the projection, which is not negative
            scores = torch.einsum("nsc,oc->nso", moved, templates).clamp_min(0)
            logs = scores.square() / power / (2 * noise * heat)
            total = torch.logsumexp(logs.flatten(1), 1)
            likelihood += float((total - np.log(logs[0].numel())).sum())
            shares = torch.exp(logs - total[:, None, None])
            sums += torch.einsum("nso,nsc->oc", shares, moved)
            weights += shares.sum((0, 1))
        used = weights > 1e-4
        found = torch.view_as_complex(sums[used].reshape(int(used.sum()), count, 2).contiguous())
        made = BackProjection(self.disk.box, reach, self.group, self.device)
        made.insert(found, weights[used, None].expand(-1, count), self.rotations[used], frequencies)
        return made.volume() * self.mask, likelihood * heat / len(self.spectra)

    def _noise(self, templates, power, count: int) -> float:
        """Power of the noise of a real or imaginary part, from what the best projections leave of some images."""
        import torch

        middle = self.spectra.shape[1] // 2
        some = torch.view_as_real(self.spectra[:200, middle, :count]).flatten(1)
        best = (some @ templates.T / power.sqrt()).amax(1)
        return float((some.square().sum(1) - best.square()).clamp_min(1e-12).mean() / (2 * count))
