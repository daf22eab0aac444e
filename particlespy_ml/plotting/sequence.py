"""Strips of colour that show the class of every particle over time."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.colours import class_colours
from particlespy_ml.plotting.table import legend, legend_columns, width_of
from particlespy_ml.tables.classes import UNDEFINED


def draw_strips(ax, rows: list[tuple], edges: np.ndarray, classes: tuple[str, ...]) -> None:
    """Draw strips of states: rows of states, mask, and lower and upper edge of the part of a strip."""
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
    legend(ax, shown, ncols=legend_columns(shown, 0.86 * width_of(ax)), handlelength=1, **style)


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
