"""What is drawn for a library of exit waves whose columns are known."""

from __future__ import annotations

from dataclasses import dataclass

from particlespy_ml.simulation.settings import from_table


@dataclass(frozen=True)
class ColumnWaveRecipe:
    """What is drawn for each field of the library. Ranges are (low, high); one draw each.

    Parameters
    ----------
    structure
        One of `particlespy_ml.simulation.atoms.column_structures.STRUCTURES`.
    source
        For the structure "crystal": a file that ASE reads, or a name that `particlespy_ml.crystals.crystal` knows.
    kinds
        Kinds of columns, in the order of the model's classes.
    symbols
        Elements, one of which is chosen.
    zone_axes
        Zone axes, one of which is chosen.
    widths, thicknesses
        Extent across and along the beam in Å, uniform in the logarithm.
    tilt
        Largest tilt off the zone axis in degrees.
    off_axis
        Share of the fields whose particle is so far off the zone axis that there are no columns.
    strain
        Largest relative deviation of the lattice constant, and twice the largest strain.
    vacancies
        Largest share of atoms that are missing.
    adatoms
        Probability that there are adatoms off the lattice, and the largest number of them.
    twins
        Share with a twin plane along the beam, where there can be one.
    edge
        Edge of the periodic field in Å.
    pixels
        Pixels along each edge of the waves kept.
    energies
        Beam energies in eV, one of which is chosen.
    thermal_rms
        Range of the thermal displacement along each axis in Å. An exit wave has one configuration.
    sampling, slice_thickness
        Of the multislice calculation in Å.
    films
        Materials of films, one of which is chosen.
    film_thicknesses
        Range of the thickness of films in Å.
    film_count
        Number of films, which are simulated apart and combined with the fields when images are recorded.
    held_out_every
        One in so many fields and films is held out for validation and test, never for training.
    held_out_films
        Share of the fields held out whose film is in the multislice calculation.
    held_out_sampling
        Sampling of the potential in fields held out in Å.
    seed
        Seed of the library. Field *i* depends on the seed and on *i* alone.
    """

    structure: str = "fcc"
    source: str = ""
    kinds: tuple[str, ...] = ("metal",)
    symbols: tuple[str, ...] = ("Au", "Pt", "Au", "Pt", "Pd", "Ag", "Cu", "Ni", "Rh", "Ir", "Al")
    zone_axes: tuple[str, ...] = ("<110>", "<110>", "<001>", "<111>")
    widths: tuple[float, float] = (10.0, 44.0)
    thicknesses: tuple[float, float] = (4.0, 40.0)
    tilt: float = 3.5
    off_axis: float = 0.06
    strain: float = 0.02
    vacancies: float = 0.04
    adatoms: tuple[float, int] = (0.4, 3)
    twins: float = 0.35
    edge: float = 56.0
    pixels: int = 256
    energies: tuple[float, ...] = (300e3, 300e3, 200e3)
    thermal_rms: tuple[float, float] = (0.05, 0.10)
    sampling: float = 0.14
    slice_thickness: float = 2.0
    films: tuple[str, ...] = ("C", "C", "Si")
    film_thicknesses: tuple[float, float] = (6.0, 35.0)
    film_count: int = 80
    held_out_every: int = 5
    held_out_films: float = 0.5
    held_out_sampling: float = 0.125
    seed: int = 2031

    @classmethod
    def from_dict(cls, values: dict) -> ColumnWaveRecipe:
        """Make a recipe from a mapping such as the ``[simulation]`` table of a recipe file."""
        return from_table(cls, values, "simulation")

    def is_held_out(self, index: int) -> bool:
        """Whether field or film *index* is kept from training."""
        return index % self.held_out_every == self.held_out_every - 1
