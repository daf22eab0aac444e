"""Make the example image of columns and its library: ``python -m particlespy_ml.data.make.columns``.

The image is incoherent: Gaussian columns whose volumes are those of the library with 2 % scatter, so that it shows how
counting works, not what multislice images of thick crystals look like.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PIXEL, DOSE, WIDTH, SCATTER = 0.2, 2e4, 0.42, 0.02  # Å, e/Å², Å, fraction of the cross-section
CONSTANT = 3.92


def main() -> None:
    """Write columns_of_platinum.npz and platinum_library.json into the folder above."""
    from ase import Atoms
    from ase.cluster import Octahedron
    from scipy.cluster.hierarchy import fclusterdata
    from scipy.spatial.transform import Rotation

    from particlespy_ml.columns.fit.refine import gaussian_columns
    from particlespy_ml.counting.library import ColumnLibrary, save_library
    from particlespy_ml.simulation.atoms.structures import remove_surface_atoms, rotate

    rng = np.random.default_rng(0)
    n = np.arange(1, 21)
    library = ColumnLibrary(0.02 * n * (1 - 0.01 * n), "Å²", None, CONSTANT / np.sqrt(2) / 10, {"model": "incoherent"})
    cluster = Octahedron("Pt", 13, 4)
    atoms = remove_surface_atoms(Atoms("Pt" * len(cluster), positions=cluster.positions), 0.06, rng)
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [np.array([0, 1, 1]) / np.sqrt(2)])
    atoms = rotate(atoms, Rotation.from_euler("z", 24, degrees=True) * to_beam)
    label = fclusterdata(atoms.positions[:, :2], 0.5, criterion="distance", method="single")
    counts = np.bincount(label)[1:]
    places = np.column_stack([np.bincount(label, atoms.positions[:, k])[1:] / counts for k in (0, 1)])
    places = places - places.min(0) + 7.0
    shape = tuple(np.ceil((places.max(0)[::-1] + 7.0) / PIXEL).astype(int))
    volumes = library.cross_sections[counts - 1] * (1 + SCATTER * rng.normal(size=len(counts)))
    clean = gaussian_columns(shape, places[:, ::-1] / PIXEL, volumes / PIXEL**2, WIDTH / PIXEL, 0.002)
    electrons = DOSE * PIXEL**2
    image = (rng.poisson(clean * electrons) / electrons).astype(np.float32)
    truth = {
        "pixel_size_nm": PIXEL / 10,
        "dose": DOSE,
        "positions": (places / 10).round(5).tolist(),
        "counts": counts.tolist(),
        "model": "incoherent Gaussian columns",
        "width_angstrom": WIDTH,
        "scatter": SCATTER,
    }
    folder = Path(__file__).parent.parent
    np.savez_compressed(folder / "columns_of_platinum.npz", data=image, truth=json.dumps(truth))
    save_library(library, folder / "platinum_library.json")


if __name__ == "__main__":
    main()
