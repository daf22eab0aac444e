"""Colours and labels of particles, the same in every figure."""

from __future__ import annotations

import numpy as np

from particlespy_ml.models.card import UNDEFINED
from particlespy_ml.particles.table import METADATA_NODE

# Okabe and Ito's palette, which colour-blind readers can tell apart (jfly.uni-koeln.de/color, 2008)
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2")
PLAIN = "#F0E442"
UNDEFINED_COLOUR = "#BBBBBB"


def class_colours(classes: tuple[str, ...]) -> dict[str, str]:
    """Return the colour of each class and of undefined particles."""
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(classes)}
    return {**colours, UNDEFINED: UNDEFINED_COLOUR}


def cluster_colour(number: int) -> str:
    """Return the colour of a cluster; grey for particles that are in none."""
    return PALETTE[number % len(PALETTE)] if number >= 0 else UNDEFINED_COLOUR


def row_colours(table, rows: np.ndarray) -> list[str]:
    """Return the colour of each row: of its class, of its cluster, of its track, or one for all."""
    if "class_index" in rows.dtype.names:
        colours = class_colours(table.classes)
        return [colours[name] for name in table.class_names(rows["class_index"])]
    if "cluster" in rows.dtype.names:
        return [cluster_colour(cluster) for cluster in rows["cluster"]]
    if "track" in rows.dtype.names:
        return [PALETTE[track % len(PALETTE)] for track in rows["track"]]
    return [PLAIN] * len(rows)


def label_anchors(table, rows: np.ndarray) -> np.ndarray:
    """Return where the label of each row stands, shape (rows, 2) in (x, y): the middle of its upper edge."""
    direction = table.metadata.get_item(f"{METADATA_NODE}.image.direction", (1, 1))
    return np.column_stack([rows["x"], rows["bbox_y_min" if direction[0] > 0 else "bbox_y_max"]])


def row_labels(table, rows: np.ndarray, label: str | None) -> list[str]:
    """Return what is written beside each row.

    Parameters
    ----------
    table
        The table that the rows are of.
    rows
        Rows of one frame.
    label
        A column; None for nothing; "auto" for the class with its probability (undefined particles are told by their
        colour), or else the number of the track or of the particle.
    """
    if label is None:
        return [""] * len(rows)
    if label == "auto":
        if "class_index" not in rows.dtype.names:
            label = "track" if "track" in rows.dtype.names else "label"
        else:
            names = table.class_names(rows["class_index"])
            return [
                "" if name == UNDEFINED or not np.isfinite(probability) else f"{name} {100 * probability:.0f} %"
                for name, probability in zip(names, rows["probability"], strict=True)
            ]
    if label not in table.columns or label == "outline":
        raise ValueError(f"There is no column {label!r} to write; expected one of {', '.join(table.columns)}.")
    values = table.class_names(rows["class_index"]) if label == "class" else rows[label]
    return [f"{value:.3g}" if isinstance(value, np.floating) else str(value) for value in values]
