"""The verb `plot_class_sequence`: the class of every particle over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.dynamics.sequences import sequences, smooth_states
from particlespy_ml.plotting.sequence import draw_strips, frame_edges
from particlespy_ml.plotting.table import navigation_position

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes


def plot_class_sequence(
    table: BaseSignal,
    smooth: bool | str = True,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw the class of every particle over time, as one strip for each particle.

    Parameters
    ----------
    table
        Table of a classified series, tracked where frames have more than one particle.
    smooth
        True: the most probable path of a hidden Markov model. False: the classes of the frames by themselves. "both":
        the frames by themselves in the upper, thinner part of each strip. Undefined particles are grey; nothing is
        drawn where a particle is missing, but in smoothed sequences between its first and last frame. A frame is drawn
        half way to its neighbours, which need not be evenly spaced.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

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
    table = table._computed()
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
        ax = plt.subplots(figsize=figsize or (7, height), layout="constrained")[1]
    draw_strips(ax, rows, edges, found.classes)
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
