"""From what micrographs are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from particlespy_ml.simulation.settings import from_table


@dataclass(frozen=True)
class MicrographRecipe:
    """Ranges from which micrographs are drawn, each anew. (low, high) is a uniform range, lengths are in pixels.

    Parameters
    ----------
    diameter, large
        Of particles, their median in a micrograph drawn uniformly in its logarithm; the second range is that of a
        share of the micrographs, (share, low, high).
    coarser
        (share, most): so many micrographs are views with larger pixels, up to so many times, in which a support may
        look like particles and particles may be dots.
    spread
        Standard deviation of the logarithm of the diameters in a micrograph.
    two_sizes
        Share of the micrographs with a second population of another size.
    coverage
        Share of the view that particles cover, uniform in its logarithm.
    most
        Largest number of particles.
    bodies
        (name, weight) of the kinds of particles, as `particlespy_ml.simulation.micrographs.bodies.draw_body` has them.
    supports
        (name, weight) of the kinds of supports.
    mixed
        Share of the micrographs with two supports over each other.
    on_support
        Share of the micrographs whose particles lie on the support alone.
    overlap
        Largest share of a particle that others may cover.
    contrast
        Of a particle, relative to the texture of the support at its size, where that shows most; uniform in its
        logarithm. Of 3 nm of Pt on carbon or silica it is 20 to 50, of Cu on silica 3 to 6.
    noise
        Standard deviation of a pixel relative to the contrast of the particles, uniform in its logarithm, and no more
        than what leaves particles `signal` standard deviations above it in all.
    signal
        See `noise`.
    saturation
        (share, low, high): in so many micrographs the signal saturates as absorption does, with this times the
        thickness of a particle.
    individual
        Largest standard deviation of the logarithm of the brightness of particles of one thickness.
    atoms
        Share of the micrographs in which large particles are drawn by their projected atoms.
    fringes
        Share of the others that show fringes, or crossed ones, in large particles.
    blur
        Standard deviation of the probe in pixels.
    empty
        Share without particles.
    inverted
        Share of images whose contrast is the other way round, in which nothing is to be found.
    scan_noise, gradient, gamma, clipped, compressed, annotated, smoothed
        Shares of the micrographs with lines of the scan shifted or streaked, a gradient of illumination, a nonlinear
        display, saturated whites, JPEG compression, a burnt-in bar or text, and noise that spreads over pixels.
    """

    diameter: tuple[float, float] = (4.5, 45.0)
    large: tuple[float, float, float] = (0.25, 30.0, 220.0)
    coarser: tuple[float, float] = (0.3, 4.0)
    spread: tuple[float, float] = (0.05, 0.5)
    two_sizes: float = 0.15
    coverage: tuple[float, float] = (0.01, 0.6)
    most: int = 200
    bodies: tuple = (("sphere", 0.3), ("ellipsoid", 0.2), ("crystal", 0.35), ("rod", 0.08), ("plate", 0.07))
    supports: tuple = (
        ("none", 0.12),
        ("film", 0.18),
        ("fractal", 0.27),
        ("spheres", 0.27),
        ("platelets", 0.08),
        ("slope", 0.08),
    )
    mixed: float = 0.3
    on_support: float = 0.8
    overlap: tuple[float, float] = (0.0, 0.5)
    contrast: tuple[float, float] = (1.5, 30.0)
    noise: tuple[float, float] = (0.01, 1.2)
    signal: float = 10.0
    saturation: tuple[float, float, float] = (0.4, 0.3, 3.0)
    individual: float = 0.5
    atoms: float = 0.12
    fringes: float = 0.15
    blur: tuple[float, float] = (0.3, 1.8)
    empty: float = 0.12
    inverted: float = 0.06
    scan_noise: float = 0.25
    gradient: float = 0.4
    gamma: float = 0.3
    clipped: float = 0.12
    compressed: float = 0.2
    annotated: float = 0.15
    smoothed: float = 0.3

    @classmethod
    def from_dict(cls, values: dict) -> MicrographRecipe:
        """Make a recipe from the table of a recipe file."""
        return from_table(cls, values, "micrograph")
