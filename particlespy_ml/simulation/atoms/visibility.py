"""Which domains of a particle show lattice fringes in projection."""

from __future__ import annotations

import numpy as np


def reflections(
    positions: np.ndarray, min_spacing: float = 1.2, max_spacing: float = 2.6, min_amplitude: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Return the reflections that the projection of some atoms has.

    A reflection is a maximum of the projected structure factor. Its amplitude is 1 where all atoms lie on planes along
    the beam, and falls as the planes are tilted out of it, the faster the thicker the crystal.

    Parameters
    ----------
    positions
        Positions in Å, shape (n, 3); the beam is along z.
    min_spacing, max_spacing
        Spacings of planes in Å that are looked for; the smallest is what the microscope resolves.
    min_amplitude
        Smallest amplitude. For few atoms it is raised to what atoms at random places reach by chance.

    Returns
    -------
    vectors, amplitudes
        Reciprocal vectors (x, y) in 1/Å, one of each pair of opposite ones, shape (m, 2), and amplitudes, shape (m,).

    References
    ----------
    J. M. Cowley, Diffraction Physics, 3rd ed., Elsevier (1995), ch. 5.
    """
    from scipy import ndimage as ndi

    step = 0.5  # Å, of the pixels onto which the atoms are projected
    xy = positions[:, :2] - positions[:, :2].min(0)
    # spots are as wide as one over the particle, and are sampled three times in that
    pixels = int(2 ** np.ceil(np.log2(3 * (xy.max() + 2) / step)))
    density, _, _ = np.histogram2d(xy[:, 0], xy[:, 1], pixels, [[0, pixels * step]] * 2)
    k = np.fft.fftshift(np.fft.fftfreq(pixels, step))
    amplitude = np.abs(np.fft.fftshift(np.fft.fft2(density))) / len(positions)
    amplitude /= np.outer(np.sinc(k * step), np.sinc(k * step))  # atoms were moved to the middles of pixels
    kx, ky = np.meshgrid(k, k, indexing="ij")
    radius = np.hypot(kx, ky)
    # the largest of as many amplitudes of random phases as there are spots in the range; twice it, since dense packings
    # scatter more than random points into the ring of their nearest neighbours
    spots = np.pi * (1 / min_spacing**2 - 1 / max_spacing**2) / 2 * np.prod(np.ptp(xy, axis=0) + 2)
    min_amplitude = max(min_amplitude, 2.0 * np.sqrt(np.log(max(spots, 2.0)) / len(positions)))
    peak = amplitude == ndi.maximum_filter(amplitude, 5)
    peak &= (radius >= 1 / max_spacing) & (radius <= 1 / min_spacing) & (amplitude >= min_amplitude)
    peak &= (kx > 0) | ((kx == 0) & (ky > 0))
    return np.stack([kx[peak], ky[peak]], axis=1), amplitude[peak]


def count_visible_lattices(positions: np.ndarray, domains: np.ndarray, min_share: float = 0.04, **options) -> int:
    """Return how many lattices the projection of a particle shows that differ from one another.

    Parameters
    ----------
    positions
        Positions in Å, shape (n, 3).
    domains
        Domain of each atom, shape (n,).
    min_share
        Domains with a smaller share of the atoms do not count.
    **options
        For `reflections`.

    Returns
    -------
    int
        Number of domains with reflections of which at least one is no reflection of a domain counted before.
    """
    seen, narrowest = np.empty((0, 2)), np.inf
    count = 0
    for domain in sorted(np.unique(domains), key=lambda number: -(domains == number).sum()):
        own = positions[domains == domain]
        if len(own) < max(6, min_share * len(positions)):
            continue
        vectors, _ = reflections(own, **options)
        both = np.concatenate([seen, -seen])
        narrow = np.ptp(own[:, :2], axis=0).min() + 2.0  # spots are as wide as one over the domain
        close = 1.8 / min(narrow, narrowest)
        if len(vectors) and (not len(both) or (np.linalg.norm(vectors[:, None] - both, axis=2).min(1) > close).any()):
            count += 1
            narrowest = min(narrow, narrowest)
            seen = np.concatenate([seen, vectors])
    return count
