"""Make the example image of a decahedron: ``python -m particlespy_ml.data.make.decahedron``.

The atoms are at rest in effective medium theory, so that the five domains are strained as those of a small particle
are. The image is incoherent, as in `particlespy_ml.data.make.columns`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from particlespy_ml.data.make.columns import PIXEL, WIDTH

DOSE, TURN, MARGIN = 1e5, 17.0, 7.0  # e/Å², degrees, Å
EDGES = (8, 4, 1)  # columns along an edge, atoms along the axis, depth of the notches


def main() -> None:
    """Write decahedron_of_gold.npz into the folder above."""
    from ase.cluster import Decahedron
    from scipy.cluster.hierarchy import fclusterdata

    from particlespy_ml.columns.fit.refine import gaussian_columns
    from particlespy_ml.crystals.relax import relax

    atoms = relax(Decahedron("Au", *EDGES), fmax=0.02, steps=300)
    c, s = np.cos(np.radians(TURN)), np.sin(np.radians(TURN))
    flat = atoms.positions[:, :2] @ np.array([[c, s], [-s, c]])
    label = fclusterdata(flat, 0.8, criterion="distance", method="single")
    counts = np.bincount(label)[1:]
    places = np.column_stack([np.bincount(label, flat[:, k])[1:] / counts for k in (0, 1)])
    places = places - places.min(0) + MARGIN
    shape = tuple(np.ceil((places.max(0)[::-1] + MARGIN) / PIXEL).astype(int))
    volumes = 0.02 * counts * (1 - 0.01 * counts)
    clean = gaussian_columns(shape, places[:, ::-1] / PIXEL, volumes / PIXEL**2, WIDTH / PIXEL, 0.002)
    image = np.random.default_rng(5).poisson(clean * DOSE * PIXEL**2).astype(np.uint16)
    truth = {
        "pixel_size_nm": PIXEL / 10,
        "dose": DOSE,
        "x_nm": (places[:, 0] / 10).round(5).tolist(),
        "y_nm": (places[:, 1] / 10).round(5).tolist(),
        "counts": counts.tolist(),
        "model": "incoherent Gaussian columns of a particle at rest (effective medium theory)",
    }
    path = Path(__file__).parent.parent / "decahedron_of_gold.npz"
    np.savez_compressed(path, data=image, truth=json.dumps(truth))


if __name__ == "__main__":
    main()
