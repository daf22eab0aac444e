"""Surface columns of ceria that lose and regain cerium atoms, by steps, and two that pass atoms to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.surface.movies import FRAME_TIME, camera_transfer, draw_drift, record_frames, signal_of, turn_matrix
from benchmarks.surface.particles import EDGE, PIXELS, SAMPLING
from particlespy_ml.dynamics.markov import simulate_states
from particlespy_ml.dynamics.site_features import Rigid
from particlespy_ml.simulation.atoms.ceria import ceria_edge
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

OPTICS = Optics(
    energy=300e3, defocus=-60.0, spherical_aberration=-1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.15
)
LATTICE, RADIUS = 5.41, 14.0  # Å
LEVELS = 3  # none, half and all of the cerium atoms of a column
CHANGING = 4
RATES = (0.02, 0.08)  # a frame, of steps up or down


@dataclass(frozen=True)
class CeriaPiece:
    """Waves of a piece of ceria whose changing columns hold some of their atoms.

    Parameters
    ----------
    wave
        With all of them empty.
    changes
        What each level above none adds, shape (n, LEVELS - 1, pixels, pixels).
    places
        Of the changing columns, x and y in Å from the middle of the field, shape (n, 2).
    heights
        Number of atoms of each when it is full.
    """

    wave: np.ndarray
    changes: np.ndarray
    places: np.ndarray
    heights: np.ndarray

    def exit_wave(self, states: np.ndarray) -> np.ndarray:
        """Return the wave of columns at some levels: what each adds is summed up."""
        wave = self.wave.copy()
        for change, level in zip(self.changes, states, strict=True):
            if level:
                wave += change[level - 1]
        return wave


def ceria_piece(seed: int) -> CeriaPiece:
    """Return a piece whose `CHANGING` changing columns lie at its rim, the first two next to each other."""
    rng = np.random.default_rng([seed, 31])
    piece, _ = ceria_edge(LATTICE, RADIUS, (3, 3), rng, vacancies=0.02)
    cerium = np.flatnonzero((piece.kinds == "Ce") & (piece.heights >= 2))
    places = np.array([piece.positions[piece.column == number, :2].mean(0) for number in cerium])
    middle = places.mean(0)
    # columns of the rim that are not behind others, those of most atoms first
    tree = cKDTree(places)
    rim = np.flatnonzero([len(near) < 6 for near in tree.query_ball_point(places, 4.2)])
    first, second = min(
        ((a, b) for a in rim for b in rim if a < b), key=lambda pair: np.hypot(*(places[pair[0]] - places[pair[1]]))
    )
    chosen = [first, second]
    for one in rng.permutation(rim):
        if len(chosen) < CHANGING and np.hypot(*(places[chosen] - places[one]).T).min() > 7.0:
            chosen.append(one)
    levels = [_atoms_by_level(piece, cerium[one]) for one in chosen]
    every = np.concatenate([one[-1] for one in levels])
    rest = np.setdiff1d(np.arange(len(piece.symbols)), every)

    def wave_of(atoms) -> np.ndarray:
        positions = piece.positions[atoms] + np.append(EDGE / 2 - middle, 0)
        settings = {"sampling": SAMPLING, "slice_thickness": 2.0, "pixels": PIXELS}
        return simulate_exit_wave(piece.symbols[atoms], positions, EDGE, **settings)

    empty = wave_of(rest)
    changes = [[wave_of(np.concatenate([rest, some])) - empty for some in one] for one in levels]
    return CeriaPiece(empty, np.array(changes), places[chosen] - middle, piece.heights[cerium[chosen]])


def _atoms_by_level(piece, column: int) -> list[np.ndarray]:
    """Atoms of a column at each level above none, from the beam's entrance on."""
    atoms = np.flatnonzero(piece.column == column)
    atoms = atoms[np.argsort(piece.positions[atoms, 2])]
    return [atoms[: round(len(atoms) * level / (LEVELS - 1))] for level in range(1, LEVELS)]


def ceria_movie(seed: int, frames: int, dose: float, pixel: float = 0.2, view: float = 40.0):
    """Return a movie as it is recorded, the levels of the columns, shape (n, frames), the piece and where it lies.

    The first two columns pass half of their atoms to each other; the others gain and lose half of theirs at times.
    """
    rng = np.random.default_rng([seed, frames, 32])
    piece = ceria_piece(seed)
    up, down = np.exp(rng.uniform(*np.log(RATES), (CHANGING, 2))).T / FRAME_TIME
    states = np.empty((CHANGING, frames), int)
    for number in range(CHANGING):
        a, b = up[number], down[number]
        matrix = np.array([[-a, a, 0], [b, -a - b, a], [0, b, -b]])
        states[number] = simulate_states(matrix, frames, FRAME_TIME, rng)
    swapped = simulate_states(np.array([[-up[0], up[0]], [down[0], -down[0]]]), frames, FRAME_TIME, rng)
    states[0], states[1] = 2 - swapped, 1 + swapped
    shifts, turns = draw_drift(frames, rng)
    count = round(view / pixel)
    middles = (count - 1) / 2 + 0.5 * shifts
    clean = record_frames(piece, states, middles, turns, pixel, count, OPTICS)
    per_pixel = dose * pixel**2
    transfer = camera_transfer(clean.shape[1:])
    counts = rng.poisson(clean.astype(np.float32) * per_pixel).astype(np.float32)
    recorded = np.fft.irfft2(np.fft.rfft2(counts) * transfer, s=clean.shape[1:]).astype(np.float32)
    return recorded, states, piece, (middles, turns)


def print_ceria(seeds=(1, 2, 3, 4, 5), frames: int = 160, doses=(500.0, 2000.0)) -> None:
    """What is found of changing columns: mean levels, from the lowest to the highest of each, events, and the pair."""
    for dose in doses:
        levels, events, pairs, places = [], [], 0, 0
        for seed in seeds:
            recorded, states, piece, (middles, turns) = ceria_movie(seed, frames, dose)
            signal = signal_of(recorded, 0.2)
            table = signal.track_columns(model="ceria-hrtem", show_progressbar=False)
            found = table.surface_dynamics(signal, states=LEVELS)
            frame = found.to_dataframe()
            number = next(k for k, rows in enumerate(table.data) if len(rows))
            rows = table.data[number]
            own = middles[number] + piece.places[:, ::-1] / 0.2 @ turn_matrix(turns[number]).T
            motion = Rigid.between(
                *(np.column_stack([rows[x], rows[y]]) for x, y in (("x", "y"), ("mean_x", "mean_y")))
            )
            away, nearest = cKDTree(frame[["x", "y"]].to_numpy()).query(motion(0.02 * own[:, ::-1]))
            seen = (away < 0.06) & (frame["change"].to_numpy()[nearest] != "none")
            places += int(seen.sum())
            for level, row in zip(states[seen], nearest[seen], strict=True):
                span = np.ptp(level)
                levels.append((frame["occupancy"].iloc[row], (level.mean() - level.min()) / span))
                events.append((frame["event_rate"].iloc[row] * found.duration, (np.diff(level) != 0).sum()))
            coupled = found.coupled_events().query("coupled")[["site_1", "site_2"]].to_numpy()
            pairs += bool(seen[:2].all() and (np.sort(coupled) == np.sort(nearest[:2])).all(1).any())
        off = np.subtract(*np.array(levels).T)
        rate = np.array(events)
        rms, wrong = np.sqrt((off**2).mean()), np.median(np.abs(rate[:, 0] / rate[:, 1] - 1))
        print(
            f"  {dose:5g} e/Å²: {places} of {CHANGING * len(seeds)} changing columns of ceria found, rms error of mean "
            f"level {rms:.3f}, median error of events {wrong:.3f}, pairs that pass atoms found {pairs} of {len(seeds)}",
            flush=True,
        )
