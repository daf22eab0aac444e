"""Which columns are matched at the boundaries of grains, and which in strained crystals and at surfaces."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.strain import structures
from particlespy_ml.strain import Template, measure_strain, template
from particlespy_ml.strain.match import fewest_neighbours, match_columns

NOISES = (0.0, 0.01, 0.02, 0.03)
LATTICES = (("square", None), ("hexagonal", None), ("fcc<110>", "<011>"), ("graphene", "<0001>"))


def neighbourhood(places: np.ndarray, one: Template) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of each column and its neighbours without noise, shape (n, k + 1), and which of them there are."""
    site = one.sites[0]
    total = len(site.neighbours)
    distances, nearest = cKDTree(places).query(places, total + 1)
    return nearest, distances <= site.reach


def holding_others(found, grain: np.ndarray) -> np.ndarray:
    """Which matches hold a column of another grain, shape (n,)."""
    other = (found.neighbours >= 0) & (grain[np.maximum(found.neighbours, 0)] != grain[:, None])
    return found.matched & other.any(1)


def print_grains(draws: int) -> None:
    """Three grains of graphene: laid beside one another, and joined by rings of five and seven."""
    print(
        "Three grains of graphene, by neighbours of a column and noise: right, matched of those that lie in one grain"
    )
    print("and have enough neighbours, and matches that hold a column of another grain over columns near one")
    for number in (3, 9, 12):
        for noise in NOISES:
            rng = np.random.default_rng(0)
            shares = np.array([_laid(rng, noise, number) for _ in range(draws if noise else 1)])
            right, kept, across, near = shares.mean(0)
            z = np.nanmean(shares[:, 3])
            print(
                f"  {number:2} neighbours, noise {noise:4.2f}: right {right:.4f}, in one grain {kept:.4f}, "
                f"across {across:.4f} of {z:.0f}"
            )
    sheet = structures.sheet_of_rings()
    print("The same joined by rings of five and seven, at rest: matched of columns in these, beside them, and away")
    for number in (3, 9, 12):
        for noise in NOISES:
            rng = np.random.default_rng(0)
            inside, beside, away = np.mean(
                [_joined(sheet, rng, noise, number) for _ in range(draws if noise else 1)], 0
            )
            print(
                f"  {number:2} neighbours, noise {noise:4.2f}: in rings {inside:.4f}, beside {beside:.4f}, "
                f"away {away:.4f}"
            )


def _laid(rng, noise: float, number: int) -> tuple[float, float, float, int]:
    turns = np.array([0.0, 13.0, 27.0]) + (rng.uniform(0, 60) + rng.uniform(-3, 3, 3) if noise else 0)
    grains = structures.graphene_grains(turns=turns)
    one = template("graphene", neighbours=number)
    near, there = neighbourhood(grains.places, one)
    alike = ~(there & (grains.grain[near] != grains.grain[:, None])).any(1)
    able = there[:, 1:].sum(1) >= fewest_neighbours(number)
    places = grains.places + rng.normal(0, noise, grains.places.shape)
    found = match_columns(places, [one])
    across = holding_others(found, grains.grain)
    rotation = measure_strain(places, one)["rotation"].to_numpy()
    turned = np.abs((rotation - grains.turns[grains.grain] + 30) % 60 - 30) < 6
    right = np.where(alike, found.matched & turned, ~across)[able]
    return (
        float(right.mean()),
        float((found.matched & turned)[alike & able].mean()),
        across.sum() / (~alike).sum(),
        (~alike).sum(),
    )


def _joined(sheet: structures.Sheet, rng, noise: float, number: int) -> tuple[float, float, float]:
    one = template("graphene", neighbours=number)
    places = sheet.grains.places
    near, there = neighbourhood(places, one)
    able = there[:, 1:].sum(1) >= fewest_neighbours(number)
    around = (np.where(there, sheet.rings[near], 0)).max(1) > 0
    core = sheet.rings > 0
    matched = match_columns(places + rng.normal(0, noise, places.shape), [one]).matched
    return matched[core].mean(), matched[around & ~core].mean(), matched[~around & able].mean()


def print_gradients(draws: int) -> None:
    """Crystals with strain of their own, which is no boundary."""
    print("Matched of columns in crystals of homogeneous strain: exx, exy, max_rmsd; noise .01, least of five turns")
    for name, axis in LATTICES:
        crystal = "fcc" if axis == "<011>" else name
        texts = []
        for exx, exy, most in ((0.08, 0, 0.1), (-0.08, 0, 0.1), (0, 0.04, 0.1), (0.15, 0, 0.1), (0.15, 0, 0.2)):
            stretch = np.array([[1 + exx, exy], [exy, 1]])
            shares = []
            for turn in range(0, 60, 12):
                rng = np.random.default_rng(turn)
                places = structures.lattice(crystal, 8, axis, turn) @ stretch
                found = match_columns(places + rng.normal(0, 0.01, places.shape), [template(name)], max_rmsd=most)
                shares.append(found.matched.mean())
            texts.append(f"{exx:+.2f}, {exy:+.2f}, {most}: {min(shares):.4f}")
        print(f"  {name:10} {'; '.join(texts)}")
    print("Matched of columns in the two outermost layers of a surface, the outermost relaxed outwards; least of faces")
    for name, axis in LATTICES:
        crystal = "fcc" if axis == "<011>" else name
        for noise in NOISES:
            texts = []
            for relaxed in (0.03, -0.03, 0.08):
                shares = [
                    _at_surface(crystal, axis, name, turn, relaxed, noise, seed)
                    for turn in (0.0, 30.0, 45.0, 54.74, 90.0)
                    for seed in range(max(draws // 5, 1) if noise else 1)
                ]
                texts.append(f"{relaxed:+.2f}: {np.mean(shares):.4f}")
            print(f"  {name:10} noise {noise:4.2f}  {'; '.join(texts)}")


def _at_surface(crystal, axis, name: str, turn: float, relaxed: float, noise: float, seed: int) -> float:
    """Share of columns near a face, whose outermost layer is farther out by so much of the distance of neighbours."""
    places = structures.lattice(crystal, 12, axis, turn)
    top = places[np.abs(places[:, 0]) < 6, 1]
    layers = np.unique(top[top < 6].round(3))[::-1]
    face = layers[0]
    places = places[places[:, 1] < face + 1e-3]
    near = (places[:, 1] > layers[min(3, len(layers) - 1)] - 1e-3) & (np.abs(places[:, 0]) < 6)
    moved = places + np.outer(relaxed * (places[:, 1] > face - 1e-3), [0, 1])
    rng = np.random.default_rng(seed)
    return match_columns(moved + rng.normal(0, noise, moved.shape), [template(name)]).matched[near].mean()
