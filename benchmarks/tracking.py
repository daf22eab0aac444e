"""Tracks through a drifting, jumping, partly blurred movie, beside trackpy's own linking.

``python -m benchmarks.tracking`` prints the share of the particles in the field of all frames that keep one track of
their own, in movies drawn from several seeds. Drawn are tables, as measuring would give them: 194 frames of 1024 x 1024
pixels with about 790 particles, whose places scatter by 0.2 pixels; a drift of 25 pixels in all; single jumps of 9 to
38 pixels; and frames so blurred that a quarter of the particles is found, with three times the scatter. Some particles
are missed or made up, some coalesce with a neighbour, and some leave the field or come into it with the drift.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass

import numpy as np

from benchmarks.growth.tables import measured

FRAMES, EDGE, PARTICLES = 194, 1024, 790
PIXEL = 0.5  # nm


@dataclass(frozen=True)
class Movie:
    """A table and its truth.

    Parameters
    ----------
    table
        Particle table of the series.
    owners
        Number of the true particle of each row of each frame; -1 for what is none.
    steady
        Numbers of the particles that are in the field of all frames to their end.
    shifts
        Place of the field in each frame, (x, y) in pixels.
    """

    table: object
    owners: list[np.ndarray]
    steady: np.ndarray
    shifts: np.ndarray


def draw_movie(seed: int, frames: int = FRAMES, edge: int = EDGE, particles: int = PARTICLES) -> Movie:
    """Draw a movie; see the module."""
    from particlespy_ml.tables.table import make_table, object_array

    rng = np.random.default_rng(seed)
    shifts = _shifts(rng, frames)
    blurred = _blurred(rng, frames)
    margin = 80  # particles beyond the edges, which drift and jumps may bring into the field
    count = round(particles * (1 + 2 * margin / edge) ** 2)
    places = _places(rng, count, edge + 2 * margin, 0.8 * edge / np.sqrt(particles)) - margin
    diameters = rng.lognormal(np.log(12), 0.25, len(places))  # pixels
    ends = np.where(rng.random(len(places)) < 0.05, rng.integers(5, frames, len(places)), frames)  # coalescence
    wander = np.cumsum(rng.normal(scale=0.05, size=(frames, len(places), 2)), axis=0)
    known, rows, owners = measured(), [], []
    template = known.data[0][:1]
    for number in range(frames):
        where = places + shifts[number] + wander[number]
        inside = ((where > 0) & (where < edge)).all(1) & (number < ends)
        seen = inside & (rng.random(len(places)) < (0.25 if blurred[number] else 0.97))
        owner = np.flatnonzero(seen)
        scatter = 0.6 if blurred[number] else 0.2
        found = where[owner] + rng.normal(scale=scatter, size=(len(owner), 2))
        sizes = diameters[owner] * rng.normal(1, 0.08 if blurred[number] else 0.03, len(owner))
        false = rng.poisson(0.01 * len(owner))
        found = np.concatenate([found, rng.uniform(0, edge, (false, 2))])
        sizes = np.concatenate([sizes, rng.lognormal(np.log(8), 0.3, false)])
        order = rng.permutation(len(found))
        frame = np.repeat(template, len(found))
        frame["x"], frame["y"] = PIXEL * found[order].T
        frame["equivalent_circular_diameter"] = PIXEL * sizes[order]
        frame["area"] = np.pi / 4 * frame["equivalent_circular_diameter"] ** 2
        frame["label"] = np.arange(1, len(found) + 1)
        rows.append(frame)
        owners.append(np.concatenate([owner, np.full(false, -1)])[order])
    path = places + shifts[:, None] + wander
    steady = np.flatnonzero(((path > 0) & (path < edge)).all((0, 2)) & (ends == frames))
    image = known.metadata.particlespy_ml.image.as_dictionary()
    image |= {"shape": [edge, edge], "scale": [PIXEL, PIXEL], "offset": [0.0, 0.0], "units": "nm"}
    axes = [{"name": "time", "size": frames, "scale": 0.5, "units": "s", "navigate": True}]
    units = {name: unit for name, unit in known.units.items() if name != "class"}
    return Movie(make_table(object_array(rows, (frames,)), axes, units, {"image": image}), owners, steady, shifts)


def _shifts(rng, frames: int) -> np.ndarray:
    """A drift of 25 pixels in all, and a jump of 9 to 38 pixels and back every 30 frames or so."""
    angle = rng.uniform(0, 2 * np.pi)
    drift = 25 * np.linspace(0, 1, frames)[:, None] * [np.cos(angle), np.sin(angle)]
    shifts = drift + rng.normal(scale=0.3, size=(frames, 2))
    for start in range(15, frames - 5, 30):
        at, turn = start + rng.integers(10), rng.uniform(0, 2 * np.pi)
        shifts[at:] += rng.uniform(9, 38) * np.array([np.cos(turn), np.sin(turn)]) * (-1) ** (start // 30)
    return shifts - shifts[0]


def _blurred(rng, frames: int) -> np.ndarray:
    """Runs of one to three blurred frames, one frame in twenty in all."""
    blurred = np.zeros(frames, bool)
    while blurred.sum() < frames / 20:
        start = rng.integers(1, frames - 4)
        blurred[start : start + rng.integers(1, 4)] = True
    return blurred


def _places(rng, count: int, edge: float, apart: float) -> np.ndarray:
    """Places in a square, none nearer to another than some distance, by rejection."""
    from scipy.spatial import cKDTree

    places = rng.uniform(0, edge, (count, 2))
    for _ in range(500):
        near = cKDTree(places).query_pairs(apart, output_type="ndarray")
        if not len(near):
            break
        again = np.unique(near[:, 1])
        places[again] = rng.uniform(0, edge, (len(again), 2))
    return places


def kept_share(movie: Movie, tracks: list[np.ndarray]) -> float:
    """Share of the steady particles of which all rows have one track that no other particle has."""
    owner, track = np.concatenate(movie.owners), np.concatenate(tracks)
    pairs = np.unique(np.column_stack([owner, track]), axis=0)
    own_tracks = np.bincount(pairs[:, 0][pairs[:, 0] >= 0], minlength=owner.max() + 1)
    own = pairs[:, 0] >= 0
    sharing = np.bincount(pairs[own, 1])
    (one,) = (pairs[own][own_tracks[pairs[own, 0]] == 1],)
    alone = one[sharing[one[:, 1]] == 1, 0]
    return float(np.isin(movie.steady, alone).mean())


def link_with_trackpy(movie: Movie, reach: float) -> list[np.ndarray]:
    """Tracks of trackpy's own linking, with its prediction of the common drift, memory 3."""
    import pandas as pd
    import trackpy

    trackpy.quiet()
    frame = movie.table.to_dataframe()[["frame", "x", "y"]]
    predictor = trackpy.predict.DriftPredict(span=3)
    parts = [part for _, part in frame.groupby("frame")]
    linked = pd.concat(list(predictor.link_df_iter(parts, reach, memory=3, pos_columns=["x", "y"], t_column="frame")))
    return [linked.loc[part.index, "particle"].to_numpy() for part in parts]


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    import trackpy

    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracking", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="movies")
    seeds = parser.parse_args(arguments).seeds
    print(f"{FRAMES} frames, about {PARTICLES} particles each: share of the steady particles that keep one track")
    shares: dict[str, list[float]] = {}
    times: dict[str, float] = {}
    for seed in range(seeds):
        movie = draw_movie(seed)
        reach = movie.table.track_particles  # by default half the distance of neighbours
        ways = {
            "track_particles": lambda movie=movie, reach=reach: reach(),
            "track_particles, drift=None": lambda movie=movie, reach=reach: reach(drift=None),
            **{
                f"trackpy, within {pixels} pixels": lambda movie=movie, pixels=pixels: link_with_trackpy(
                    movie, pixels * PIXEL
                )
                for pixels in (7, 14)
            },
        }
        for name, link in ways.items():
            started = time.perf_counter()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    result = link()
            except (trackpy.SubnetOversizeException, ValueError) as error:  # too many within reach to be linked
                print(f"  {name}, seed {seed}: {type(error).__name__}")
                continue
            times[name] = times.get(name, 0) + time.perf_counter() - started
            tracks = result if isinstance(result, list) else [rows["track"] for rows in result.data]
            shares.setdefault(name, []).append(kept_share(movie, tracks))
    for name, values in shares.items():
        spread, seconds = f"({min(values):.3f} to {max(values):.3f})", times[name] / len(values)
        print(f"  {name:32s} {np.mean(values):.3f} {spread}, {seconds:.1f} s a movie")


if __name__ == "__main__":
    main()
