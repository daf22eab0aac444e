"""Micrographs of three populations of particles in all orientations, made as they are read, with their truth."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from particlespy_ml.signals.haadf import HAADFImage


POPULATIONS = (("icosahedron", 147), ("cuboctahedron", 561), ("decahedron", 1103))
EDGE = 512  # pixels of a micrograph
PIXEL_SIZE = 0.7  # Å
CELLS = 5  # particles along an edge
FINE = 0.35  # Å, pixel size of the particles' images
VIEW = 128  # pixels of a particle's image


def three_populations(micrographs: int = 12, *, dose: float = 1e4, seed: int = 0) -> HAADFImage:
    """Return lazy simulated HAADF micrographs of a mixture of three populations of gold particles.

    Icosahedra of 147 atoms, cuboctahedra of about 561 and decahedra of about 1103, 25 particles in a micrograph, in
    random orientations on a thin support. Images are incoherent, a Gaussian for each atom. A micrograph is made when it
    is read.

    Parameters
    ----------
    micrographs
        Number of micrographs.
    dose
        Electrons per Å².
    seed
        Seed of particles, orientations and noise.

    Returns
    -------
    LazyHAADFImage
        ``metadata.Simulation`` has the truth: ``populations`` (names), and for all particles in order ``frame``,
        ``population`` (index), ``x`` and ``y`` (nm).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.three_populations(2).data.shape
    (2, 512, 512)
    """
    import dask.array as da
    from hyperspy.signals import Signal2D

    if micrographs < 1 or dose <= 0:
        raise ValueError(f"Expected a micrograph and a dose above zero, not {micrographs} and {dose}.")
    plan = _plan(micrographs, seed)
    blocks = da.from_array(plan, chunks=(1, *plan.shape[1:])).map_blocks(
        _record, dose, seed, dtype=np.uint16, drop_axis=2, new_axis=2, chunks=((1,) * micrographs, EDGE, EDGE)
    )
    axes = [{"name": "micrograph", "size": micrographs, "navigate": True}]
    axes += [{"name": name, "size": EDGE, "scale": PIXEL_SIZE / 10, "units": "nm", "navigate": False} for name in "yx"]
    signal = Signal2D(blocks, axes=axes).as_lazy()
    signal.metadata.General.title = "Three populations of gold particles"
    particles = plan.reshape(-1, plan.shape[-1])
    truth = {
        "populations": [kind for kind, _ in POPULATIONS],
        "frame": particles[:, 0].astype(int).tolist(),
        "population": particles[:, 1].astype(int).tolist(),
        "x": (particles[:, 3] / 10).tolist(),
        "y": (particles[:, 2] / 10).tolist(),
        "dose_per_A2": float(dose),
    }
    signal.metadata.set_item("Simulation", truth)
    signal.set_signal_type("HAADF")
    return signal


def _plan(micrographs: int, seed: int) -> np.ndarray:
    """Rows of frame, population, row and column in Å and a quaternion, shape (micrographs, particles, 8)."""
    rng = np.random.default_rng(seed)
    cell = EDGE * PIXEL_SIZE / CELLS
    rows, columns = (grid.ravel() for grid in np.meshgrid(*(np.arange(CELLS),) * 2, indexing="ij"))
    plan = np.empty((micrographs, CELLS**2, 8))
    for number, part in enumerate(plan):
        part[:, 0] = number
        part[:, 1] = rng.integers(len(POPULATIONS), size=CELLS**2)
        part[:, 2] = (rows + 0.5) * cell + rng.uniform(-8, 8, CELLS**2)
        part[:, 3] = (columns + 0.5) * cell + rng.uniform(-8, 8, CELLS**2)
        turns = rng.normal(size=(CELLS**2, 4))
        part[:, 4:] = turns / np.linalg.norm(turns, axis=1)[:, None]
    return plan


@lru_cache(maxsize=1)
def _atoms() -> list[np.ndarray]:
    from particlespy_ml.simulation.atoms.structures import closed_shell

    clusters = [closed_shell(*population).positions for population in POPULATIONS]
    return [positions - positions.mean(0) for positions in clusters]


def _record(plan: np.ndarray, dose: float, seed: int) -> np.ndarray:
    """Micrographs of a block of the plan."""
    from scipy.spatial.transform import Rotation

    from particlespy_ml.core.threads import one_torch_thread
    from particlespy_ml.models.incoherent import incoherent_haadf
    from particlespy_ml.simulation.recording.scene import PlacedParticle, compose_haadf

    frames = np.empty((len(plan), EDGE, EDGE), np.uint16)
    for frame, rows in zip(frames, plan, strict=True):
        turned = [Rotation.from_quat(row[4:]).apply(_atoms()[int(row[1])]) for row in rows]
        with one_torch_thread():  # sums, and so the noise that is drawn, must not depend on the number of threads
            images = incoherent_haadf(turned, n_pixels=VIEW, pixel_size=FINE, sigma=0.45).numpy()
        placed = [PlacedParticle(image, FINE, tuple(row[2:4])) for image, row in zip(images, rows, strict=True)]
        frame[:] = compose_haadf(
            placed, frame.shape, PIXEL_SIZE, dose=dose, seed=seed * 1_000_003 + int(rows[0, 0]), support=0.002
        )
    return frames
