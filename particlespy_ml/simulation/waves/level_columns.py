"""Waves behind columns of one element whose atoms lie at levels, by a multislice algorithm that can be fitted."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft

from particlespy_ml.simulation.recording.optics import wavelength
from particlespy_ml.simulation.waves.moving_atom import phase_of_moving_atom

LEAST_MOTION = 2e-3  # Å², below which the potential is too steep for the pixels
_STEP = 2e-3  # Å², for the derivative by motion
_NEIGHBOURS, _ALIKE = 1.3, 1.08  # of the distance of nearest columns: looked at, and counted as that
_VOTES = 200


class LevelColumns:
    """The multislice algorithm for columns with an atom at each level, every second column half a level higher.

    Columns along <110> and <001> of fcc crystals are such. Ends of columns need not be whole numbers: the atoms at the
    ends then count in part, and so waves change smoothly with the numbers of atoms, and can be fitted.

    Parameters
    ----------
    symbol
        Chemical symbol of all atoms.
    spacing
        Distance of the levels, and so of the atoms of a column, in Å.
    energy
        Beam energy in eV.
    shape, edges
        Pixels and edges in Å of the periodic field along y and x.

    References
    ----------
    J. M. Cowley and A. F. Moodie, Acta Crystallogr. 10, 609 (1957).
    """

    def __init__(self, symbol: str, spacing: float, energy: float, shape: tuple[int, int], edges: tuple[float, float]):
        import torch

        self.symbol, self.spacing, self.energy = symbol, float(spacing), float(energy)
        self.shape, self.edges = tuple(shape), tuple(edges)
        steps = [edge / n for edge, n in zip(edges, shape, strict=True)]
        self._ky = torch.tensor(fft.fftfreq(shape[0], steps[0]), dtype=torch.float32)
        self._kx = torch.tensor(fft.fftfreq(shape[1], steps[1]), dtype=torch.float32)
        self._k2 = self._ky[:, None] ** 2 + self._kx**2
        # what high columns scatter far is scattered back: beyond a third of the sampling rate more is gained by it than
        # lost by what is aliased
        band = self._k2 < (0.5 / max(steps)) ** 2
        self._propagator = band * self._free(self.spacing / 2)
        self._phase = lru_cache(maxsize=6)(self._phase_of_atom)

    def _free(self, distance: float):
        """Propagator over a distance in Å."""
        import torch

        return torch.polar(torch.ones_like(self._k2), -np.pi * wavelength(self.energy) * distance * self._k2)

    def _phase_of_atom(self, mean_square: float):
        import torch

        area = self.edges[0] * self.edges[1] / (self.shape[0] * self.shape[1])
        phase = phase_of_moving_atom(self.symbol, np.sqrt(self._k2.numpy()), self.energy, mean_square) / area
        return torch.tensor(phase, dtype=torch.complex64)

    def spectrum(
        self,
        places: np.ndarray,
        parity: np.ndarray,
        ends: np.ndarray,
        *,
        tilt: tuple[float, float] = (0.0, 0.0),
        mean_square: float = 0.0064,
        further: np.ndarray | None = None,
        leans: np.ndarray | None = None,
        strength: float = 1.0,
        behind: float = 0.0,
    ) -> np.ndarray:
        """Return the Fourier transform of the wave behind columns, a plane wave of amplitude one having entered.

        Parameters
        ----------
        places
            x and y of each column in Å, at level zero, shape (n, 2).
        parity
            0 for columns with an atom at level zero, 1 for those with one half a level above it, shape (n,).
        ends
            Lower and upper end of each column in levels, shape (n, 2): a column of three atoms, at the levels -1, 0 and
            1, goes from -1.5 to 1.5.
        tilt
            Of all columns along x and y in radians.
        mean_square
            Of the displacements of atoms along each axis in Å².
        further
            What each column has beside it, shape (n,), small.
        leans
            Of each column beside the tilt, about its middle: along x and y in Å from one level to the next, shape
            (n, 2).
        strength
            Of the scattering of all atoms, over that of the parametrization.
        behind
            Plane of the wave, in Å from level zero along the beam.

        Returns
        -------
        numpy.ndarray
            Shape (rows, columns), complex64, in the order of `numpy.fft.fft2`.
        """
        import torch

        ends, parity = np.asarray(ends, float), np.asarray(parity)
        motion = max(float(mean_square), LEAST_MOTION)
        phase, slope = self._phase(motion) * strength, None
        if further is not None:
            low = max(motion - _STEP, LEAST_MOTION)
            slope = (self._phase(motion + _STEP) - self._phase(low)) * (strength / (motion + _STEP - low))
            further = torch.tensor(np.asarray(further), dtype=torch.float32)[:, None]
        turns = -2 * np.pi * torch.tensor(np.asarray(places), dtype=torch.float32)
        along_x = torch.polar(torch.ones(len(turns), self.shape[1]), turns[:, :1] * self._kx)
        along_y = torch.polar(torch.ones(len(turns), self.shape[0]), turns[:, 1:] * self._ky)
        wave = torch.ones(self.shape, dtype=torch.complex64)
        first, last = int(np.floor(2 * ends[:, 0].min())), int(np.ceil(2 * ends[:, 1].max()))
        for half in range(first, last + 1):
            share = np.clip(np.minimum(ends[:, 1], half / 2 + 0.5) - np.maximum(ends[:, 0], half / 2 - 0.5), 0, 1)
            own = np.flatnonzero((share > 0) & ((half - parity) % 2 == 0))
            if len(own):
                weight = torch.tensor(share[own], dtype=torch.float32)[:, None]
                in_x, in_y = along_x[own], along_y[own] * weight
                if leans is not None:
                    shift = (half / 2 - ends[own].mean(1))[:, None] * np.asarray(leans)[own]
                    shift = -2 * np.pi * torch.tensor(shift, dtype=torch.float32)
                    in_x = in_x * torch.polar(torch.ones_like(in_x.real), shift[:, :1] * self._kx)
                    in_y = in_y * torch.polar(torch.ones_like(in_y.real), shift[:, 1:] * self._ky)
                field = (in_y.T @ in_x) * phase
                if slope is not None:
                    field = field + ((in_y * further[own]).T @ in_x) * slope
                if tilt[0] or tilt[1]:
                    away = -np.pi * half * self.spacing
                    field = field * torch.polar(torch.ones_like(self._ky), away * tilt[1] * self._ky)[:, None]
                    field = field * torch.polar(torch.ones_like(self._kx), away * tilt[0] * self._kx)
                field = torch.fft.ifft2(field)
                wave = wave * torch.polar(torch.exp(-field.imag), field.real)
            wave = torch.fft.ifft2(torch.fft.fft2(wave) * self._propagator)
        back = behind - (last + 1) * self.spacing / 2
        return (torch.fft.fft2(wave) * self._free(back)).numpy()


def level_parity(places: np.ndarray, nearest: float) -> np.ndarray:
    """Return 0 or 1 for each column, so that most nearest neighbours have unlike ones.

    Columns take it from the neighbour whose distance is most like that of nearest ones, and then from most of them.

    Parameters
    ----------
    places
        x and y, shape (n, 2).
    nearest
        Distance of nearest neighbours; the next ones are at least 1.13 times as far away.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.waves.level_columns import level_parity
    >>> level_parity(np.array([(0.0, 0), (2.5, 0), (5.0, 0)]), 2.5).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
    from scipy.spatial import cKDTree

    count = len(places)
    pairs = cKDTree(places).query_pairs(_NEIGHBOURS * nearest, output_type="ndarray")
    parity = np.zeros(count, int)
    if not len(pairs):
        return parity
    distance = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    tree = minimum_spanning_tree(csr_array((distance, pairs.T), shape=(count, count)))
    _, part = connected_components(tree, directed=False)
    for start in np.unique(part, return_index=True)[1]:
        order, before = breadth_first_order(tree, start, directed=False)
        for one in order[1:]:
            parity[one] = 1 - parity[before[one]]
    close = pairs[distance < _ALIKE * nearest]
    both = np.concatenate([close, close[:, ::-1]])
    for _ in range(_VOTES):
        votes = np.bincount(both[:, 0], parity[both[:, 1]] == parity[both[:, 0]], count)
        outvoted = votes > 0.5 * np.bincount(both[:, 0], minlength=count)
        if not outvoted.any():
            break
        worst = np.argmax(np.where(outvoted, votes, -1))
        parity[worst] = 1 - parity[worst]
    return parity
