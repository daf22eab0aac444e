"""A micrograph of particles on a support, drawn when it is asked for, with its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from particlespy_ml.signals.haadf import HAADFImage

EDGE = 512  # pixels
PIXEL_SIZE = 0.15  # nm


def particles_on_support(*, contrast: float = 4.0, noise: float = 0.1, seed: int = 1) -> HAADFImage:
    """Return a drawn HAADF micrograph of metal particles on an aggregate of spheres, such as silica or carbon black.

    Parameters
    ----------
    contrast
        Of a particle, relative to the texture of the support at its size.
    noise
        Standard deviation of a pixel relative to that contrast.
    seed
        Seed of support, particles and noise.

    Returns
    -------
    HAADFImage
        Counts, 512 by 512 pixels of 0.15 nm. ``metadata.Simulation.labels`` has the true particles, an array of the
        image's shape.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.particles_on_support()
    >>> s.data.shape, int(s.metadata.Simulation.labels.max()) > 20
    ((512, 512), True)
    """
    from hyperspy.signals import Signal2D

    from particlespy_ml.simulation.micrographs.draw import draw_micrograph
    from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe

    if contrast <= 0 or noise <= 0:
        raise ValueError(f"Expected a contrast and a noise above zero, not {contrast} and {noise}.")
    recipe = MicrographRecipe(
        diameter=(12.0, 20.0),
        large=(0.0, 30.0, 60.0),
        coarser=(0.0, 1.0),
        spread=(0.2, 0.3),
        two_sizes=0.0,
        coverage=(0.04, 0.06),
        bodies=(("ellipsoid", 0.5), ("crystal", 0.5)),
        supports=(("spheres", 1.0),),
        on_support=1.0,
        overlap=(0.0, 0.2),
        contrast=(contrast, contrast * 1.001),
        noise=(noise, noise * 1.001),
        atoms=0.0,
        fringes=0.0,
        empty=0.0,
        inverted=0.0,
        scan_noise=0.0,
        gradient=0.0,
        gamma=0.0,
        clipped=0.0,
        compressed=0.0,
        annotated=0.0,
        smoothed=0.0,
    )
    seen = draw_micrograph(recipe, (EDGE, EDGE), np.random.default_rng(seed))
    image = seen.image - seen.image.min()
    counts = np.rint(image * (4000 / image.max())).astype(np.uint16)
    axes = [{"name": name, "size": EDGE, "scale": PIXEL_SIZE, "units": "nm", "navigate": False} for name in "yx"]
    signal = Signal2D(counts, axes=axes)
    signal.set_signal_type("HAADF")
    signal.metadata.General.title = "Particles on a support"
    signal.metadata.set_item("Simulation.labels", seen.labels)
    signal.metadata.set_item("Simulation.pixel_size_nm", PIXEL_SIZE)
    return signal
