"""First orientations by the common lines of ASPIRE, where it is installed."""

from __future__ import annotations

import re

import numpy as np

from particlespy_ml.reconstruction.images import ImageBatches
from particlespy_ml.reconstruction.matching import Poses
from particlespy_ml.reconstruction.refinement import back_project
from particlespy_ml.reconstruction.rotations import point_group

MOST_IMAGES = 500


def aspire_volume(images: ImageBatches, name: str, seed: int) -> np.ndarray:
    """Return a first volume, of orientations that ASPIRE finds from common lines.

    Parameters
    ----------
    images
        Images.
    name
        Point group: "C1", "C2", ... or "D2".
    seed
        Seed.

    Raises
    ------
    ImportError
        If the package aspire is missing.
    ValueError
        If ASPIRE has no method for the point group.

    References
    ----------
    ASPIRE, doi:10.5281/zenodo.5657281.
    """
    found = re.fullmatch(r"C(\d+)|D2", name)
    if found is None:
        raise ValueError(f"engine='aspire' knows the point groups C1, Cn and D2, not {name}; use engine='matching'.")
    try:
        from aspire import abinitio
        from aspire.source import ArrayImageSource
    except ImportError as error:
        raise ImportError(
            "engine='aspire' needs the package aspire: pip install 'particlespy-ml[reconstruction]'."
        ) from error
    if len(images) > MOST_IMAGES:
        chosen = np.random.default_rng(seed).choice(len(images), MOST_IMAGES, replace=False)
        images = images.subset(np.sort(chosen))
    stack = np.concatenate([batch for _, batch in images.batches()])
    source = ArrayImageSource(stack.astype(np.float32), pixel_size=1.0)
    order = 2 if found[1] is None else int(found[1])
    if found[1] is None:
        orient = abinitio.CLSymmetryD2(source, symmetry="D2", seed=seed)
    elif order == 1:
        orient = abinitio.CLSync3N(source, seed=seed)
    elif order == 2:
        orient = abinitio.CLSymmetryC2(source, symmetry="C2", seed=seed)
    elif order in (3, 4):
        orient = abinitio.CLSymmetryC3C4(source, symmetry=name, seed=seed)
    else:
        orient = abinitio.CLSymmetryCn(source, symmetry=name, seed=seed)
    orient.estimate_rotations()
    rotations = np.swapaxes(np.asarray(orient.rotations, float), 1, 2)
    poses = Poses(rotations, np.zeros((len(rotations), 2)), np.ones(len(rotations)))
    return back_project(images, poses, point_group(name))
