"""Strips of colour that show the class of every particle over time."""

from __future__ import annotations

import numpy as np

from particlespy_ml.dynamics.sequences import sequences, smooth_states
from particlespy_ml.models.card import UNDEFINED
from particlespy_ml.plotting.colours import class_colours
from particlespy_ml.plotting.table import legend, legend_columns, navigation_position


def plot_class_sequence(table, smooth: bool | str = True, ax=None):
    """Draw the class of every particle over time, as one strip for each particle.

    Parameters
    ----------
    table
        Computed table of a classified series, tracked where frames have more than one particle.
    smooth
        True: the most probable path of a hidden Markov model. False: the classes of the frames by themselves. "both":
        the frames by themselves in the upper, thinner part of each strip. Undefined particles are grey; nothing is
        drawn where a particle is missing, but in smoothed sequences between its first and last frame. A frame is drawn
        half way to its neighbours, which need not be evenly spaced.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the table is no series, has no particles, is not classified or not tracked, or the axis neither ascends nor
        descends.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.isomer_movie().inav[:3].classify_particles(lazy_output=False).track_particles()
    >>> ax = table.plot_class_sequence(smooth=False)
    >>> [label.get_text() for label in ax.get_yticklabels()], ax.get_xlabel()
    (['0', '1'], 'Time (s)')
    """
    if smooth not in (True, False, "both"):
        raise ValueError(f'smooth={smooth!r}; expected True, False or "both".')
    if len(table.axes_manager.navigation_axes) != 1 or table.data.size < 2:
        raise ValueError(
            "Classes over time need a series of two or more frames along one axis, not the navigation shape "
            f"{table.axes_manager.navigation_shape}; choose one with inav."
        )
    found = sequences(table, timed=False)
    position, label = navigation_position(table)
    edges = frame_edges(position)
    if not len(found.tracks):
        raise ValueError("The table has no particles to draw.")
    seen = np.isfinite(found.probabilities).all(-1) | (found.predicted >= 0) | _present(table, found)
    rows = []  # states, mask, lower and upper edge of the part of a strip
    if smooth in (False, "both"):
        rows.append((found.predicted, seen, (-0.4, 0.4) if smooth is False else (-0.4, -0.17)))
    if smooth:
        states, _ = smooth_states(found)
        spans = np.logical_or.accumulate(seen, 1) & np.logical_or.accumulate(seen[:, ::-1], 1)[:, ::-1]
        rows.append((states, spans, (-0.4, 0.4) if smooth is True else (-0.12, 0.4)))
    if ax is None:
        import matplotlib.pyplot as plt

        height = np.clip(1.2 + (0.5 if smooth == "both" else 0.3) * len(found.tracks), 1.7, 12)
        ax = plt.subplots(figsize=(7, height), layout="constrained")[1]
    _draw_strips(ax, rows, edges, found.classes)
    count = len(found.tracks)
    every = int(np.ceil(count / 30))
    ax.set_yticks(range(0, count, every), [str(track) for track in found.tracks[::every]])
    ax.set_ylim(count - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.set_ylabel("Particle")
    if smooth == "both":
        ax.get_legend().set(title="Thin: single frames; thick: smoothed", alignment="left")
        ax.get_legend().get_title().set_fontsize(8)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "left", "right"]].set_visible(False)
    return ax


def _present(table, found) -> np.ndarray:
    """Whether each particle has a row in each frame, shape (S, T)."""
    frames = table._frames()
    present = np.zeros(found.predicted.shape, dtype=bool)
    for frame, rows in enumerate(frames):
        if len(rows):
            tracks = rows["track"] if "track" in table.columns else np.zeros(len(rows), int)
            present[np.searchsorted(found.tracks, tracks), frame] = True
    return present


def _draw_strips(ax, rows: list[tuple], edges: np.ndarray, classes: tuple[str, ...]) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    colours = class_colours(classes)
    names = [*classes, UNDEFINED]
    patches, used = {}, set()
    for states, mask, (top, bottom) in rows:
        for strip in range(len(states)):
            for start, stop, state in _runs(np.where(mask[strip], states[strip], -2)):
                left, right = edges[start], edges[stop]
                patches.setdefault(state, []).append(
                    [(left, strip + top), (right, strip + top), (right, strip + bottom), (left, strip + bottom)]
                )
                used.add(names[state])
    for state, corners in sorted(patches.items()):
        ax.add_collection(PolyCollection(corners, facecolors=colours[names[state]], linewidths=0, antialiased=False))
    ax.set_xlim(min(edges[0], edges[-1]), max(edges[0], edges[-1]))
    shown = {name: Patch(color=colours[name]) for name in names if name in used}
    # above the strips, where the legend covers none of them
    style = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3, "borderpad": 0}
    legend(ax, shown, ncols=legend_columns(shown), handlelength=1, **style)


def frame_edges(position: np.ndarray) -> np.ndarray:
    """Return the edges of frames, half way between their positions, shape (T + 1,).

    Raises
    ------
    ValueError
        If positions neither ascend nor descend throughout.
    """
    position = np.asarray(position, dtype=float)
    steps = np.diff(position)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError(
            "Positions of the frames neither ascend nor descend along the navigation axis; expected them in order. Set "
            "the axis, or choose frames with inav."
        )
    middle = (position[1:] + position[:-1]) / 2
    return np.concatenate([[2 * position[0] - middle[0]], middle, [2 * position[-1] - middle[-1]]])


def _runs(states: np.ndarray):
    """First frame, frame after the last, and state of each run; runs of -2, missing frames, are left out."""
    starts = np.flatnonzero(np.concatenate([[True], states[1:] != states[:-1]]))
    for start, stop in zip(starts, [*starts[1:], len(states)], strict=True):
        if states[start] != -2:
            yield start, stop, int(states[start])
