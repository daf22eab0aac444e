"""Structures whose columns are known, drawn at random: what networks that find columns are trained on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from particlespy_ml.crystals.crystal import CERIA
from particlespy_ml.simulation.atoms.ceria import HIGHEST, ceria_edge
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.atoms.crystal_pieces import crystal_piece
from particlespy_ml.simulation.atoms.graphene import graphene_sheet
from particlespy_ml.simulation.atoms.projected import Projected, tilted
from particlespy_ml.simulation.atoms.rough_particles import adatoms, rough_particle
from particlespy_ml.simulation.atoms.structures import lattice_constant

OFF_AXIS = (9.0, 25.0)  # degrees from the zone axis from which columns are none to be seen


def draw_structure(recipe: ColumnWaveRecipe, rng: np.random.Generator) -> tuple[Projected, dict]:
    """Draw a structure of a recipe, about the origin, and what was drawn, as plain values."""
    if recipe.structure not in STRUCTURES:
        raise ValueError(f"Unknown structure {recipe.structure!r}; expected one of {sorted(STRUCTURES)}.")
    return STRUCTURES[recipe.structure](recipe, rng)


def draw_fcc(recipe: ColumnWaveRecipe, rng: np.random.Generator) -> tuple[Projected, dict]:
    """Draw a rough particle of an fcc metal, strained a little, with the recipe's tilt, vacancies and adatoms."""
    symbol, zone_axis = str(rng.choice(recipe.symbols)), str(rng.choice(recipe.zone_axes))
    a = lattice_constant(symbol) * (1 + recipe.strain * rng.uniform(-1, 1))
    width = float(np.exp(rng.uniform(*np.log(recipe.widths))))
    thickness = float(np.exp(rng.uniform(*np.log(recipe.thicknesses))))
    twin = zone_axis == "<110>" and rng.random() < recipe.twins
    particle = rough_particle(
        symbol, a, zone_axis, width, thickness, rng, vacancies=recipe.vacancies * rng.random() ** 2, twin=twin
    )
    is_off_axis = rng.random() < recipe.off_axis
    if is_off_axis:
        degrees = rng.uniform(*OFF_AXIS)
        particle = Projected(
            particle.symbols, particle.positions, np.full(len(particle.symbols), -1), np.array([], "U2")
        )
    else:
        # as many for each solid angle
        degrees = recipe.tilt * np.sqrt(rng.random())
        if rng.random() < recipe.adatoms[0]:
            particle = particle.joined(adatoms(particle, symbol, int(rng.integers(1, recipe.adatoms[1] + 1)), rng))
    particle = _strained(particle, 0.5 * recipe.strain, rng)
    particle = tilted(particle, degrees, rng.uniform(0, 2 * np.pi))
    told = {
        "symbol": symbol,
        "zone_axis": zone_axis,
        "tilt": degrees,
        "off_axis": bool(is_off_axis),
        "twin": bool(twin),
    }
    return particle, {**told, "lattice_constant": a}


def _strained(atoms: Projected, strain: float, rng: np.random.Generator) -> Projected:
    """Atoms after a homogeneous deformation and static disorder of up to 0.08 Å (rms along each axis)."""
    positions = atoms.positions @ (np.eye(3) + strain * rng.uniform(-1, 1, (3, 3)))
    return atoms.moved(positions + rng.normal(scale=0.08 * rng.random() ** 2, size=positions.shape))


def draw_ceria(recipe: ColumnWaveRecipe, rng: np.random.Generator) -> tuple[Projected, dict]:
    """Draw a piece of ceria along [110] with a surface, strained a little, tilted."""
    a = CERIA * (1 + recipe.strain * rng.uniform(-1, 1))
    lowest, highest = (min(max(round(t / (a / np.sqrt(2))), 1), HIGHEST) for t in recipe.thicknesses)
    radius = rng.uniform(*recipe.widths) / 2
    piece, told = ceria_edge(a, radius, (lowest, highest), rng, vacancies=recipe.vacancies)
    if rng.random() < recipe.adatoms[0]:
        piece = piece.joined(adatoms(piece, "Ce", int(rng.integers(1, recipe.adatoms[1] + 1)), rng, far=6.0))
    piece = _strained(piece, 0.5 * recipe.strain, rng)
    degrees = recipe.tilt * np.sqrt(rng.random())
    piece = tilted(piece, degrees, rng.uniform(0, 2 * np.pi))
    return piece, {"symbol": "CeO2", "zone_axis": "<110>", "tilt": degrees, "lattice_constant": a, **told}


def draw_graphene(recipe: ColumnWaveRecipe, rng: np.random.Generator) -> tuple[Projected, dict]:
    """Draw a sheet of graphene with up to four grains and holes, and adatoms."""
    grains, holes = int(rng.integers(1, 5)), int(rng.integers(0, 5))
    number = int(rng.integers(1, recipe.adatoms[1] + 1)) if rng.random() < recipe.adatoms[0] else 0
    chosen = rng.choice(recipe.symbols, number).tolist()
    counts = {symbol: chosen.count(symbol) for symbol in sorted(set(chosen))}
    sheet, at_boundary = graphene_sheet(recipe.edge - 4.0, grains, holes, counts, rng)
    sheet = _strained(sheet, 0.5 * recipe.strain, rng)
    degrees = recipe.tilt * np.sqrt(rng.random())
    sheet = tilted(sheet, degrees, rng.uniform(0, 2 * np.pi))
    boundary = np.flatnonzero(at_boundary).tolist()
    return sheet, {"symbol": "C", "zone_axis": "<001>", "tilt": degrees, "boundary": boundary, "grains": grains}


def draw_crystal(recipe: ColumnWaveRecipe, rng: np.random.Generator) -> tuple[Projected, dict]:
    """Draw a piece of the recipe's crystal or sheet, strained a little, tilted."""
    zone_axis = str(rng.choice(recipe.zone_axes))
    width, thickness = (float(np.exp(rng.uniform(*np.log(r)))) for r in (recipe.widths, recipe.thicknesses))
    stretch = recipe.strain * rng.uniform(-1, 1)
    piece = crystal_piece(
        recipe.source,
        zone_axis,
        width,
        thickness,
        rng,
        kinds=recipe.kinds,
        vacancies=recipe.vacancies * rng.random(),
        strain=stretch,
    )
    piece = _strained(piece, 0.5 * recipe.strain, rng)
    degrees = recipe.tilt * np.sqrt(rng.random())
    piece = tilted(piece, degrees, rng.uniform(0, 2 * np.pi))
    return piece, {"symbol": recipe.source, "zone_axis": zone_axis, "tilt": degrees}


STRUCTURES: dict[str, Callable] = {
    "fcc": draw_fcc,
    "ceria": draw_ceria,
    "graphene": draw_graphene,
    "crystal": draw_crystal,
}
