"""Colours and labels of particles, the same in every figure."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.tables.classes import UNDEFINED

# Okabe and Ito's palette, which colour-blind readers can tell apart (jfly.uni-koeln.de/color, 2008)
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2")
PLAIN = "#F0E442"
UNDEFINED_COLOUR = "#BBBBBB"
NO_VALUE = "–"  # written where a number is not finite
HALF_CHARACTER, LINE = 0.01, 0.04  # room that 10 points take of an image in HyperSpy's window, per longer edge
LONGEST_TEXT = 32  # characters; a longer name would leave no room for the figure


def written(text) -> str:
    r"""Return a text as it is to be written in a figure: in one line, not too long, without formulas.

    Parameters
    ----------
    text
        Anything; matplotlib would take what stands between two dollar signs for a formula, and fail where it is none.

    Examples
    --------
    >>> written("a  $b$")
    'a \\$b\\$'
    >>> written("a very long name " * 9)
    'a very long name…a very long name'
    """
    text = " ".join(str(text).split())
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT // 2].rstrip()}…{text[-LONGEST_TEXT // 2 :]}"
    return text.replace("$", r"\$")


def room_for(names, characters: int = 10) -> float:
    """Return the width in inches that names in 9 points take more than so many characters."""
    return 0.075 * max(0, *(len(written(name)) - characters for name in names))


def number_texts(values) -> list[str]:
    """Return short texts of numbers that tell them apart.

    Examples
    --------
    >>> number_texts([0.5, 2.0])
    ['0.5', '2']
    >>> number_texts([1000000.5, 1000001.5])
    ['1000000.5', '1000001.5']
    """
    values = [float(value) for value in values]
    gap = min(np.diff(np.unique(values)), default=np.inf)
    for digits in range(6, 18):
        texts = [f"{value:.{digits}g}" for value in values]
        if all(abs(float(text) - value) <= 0.01 * gap for text, value in zip(texts, values, strict=True)):
            break
    return texts


def class_colours(classes: tuple[str, ...]) -> dict[str, str]:
    """Return the colour of each class and of undefined particles."""
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(classes)}
    return {**colours, UNDEFINED: UNDEFINED_COLOUR}


def line_colour(place: int) -> str:
    """Return the colour of a line on white, for which yellow is too light."""
    palette = [colour for colour in PALETTE if colour != "#F0E442"]
    return palette[place % len(palette)]


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


def inner_anchors(table, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return `label_anchors`, moved as far as labels in windows of HyperSpy's size need to stand inside of the image.

    Parameters
    ----------
    table
        The table that the rows are of.
    rows
        Rows of one frame.
    labels
        What is written over each row.
    """
    anchors = label_anchors(table, rows)
    record = table.metadata.get_item(f"{METADATA_NODE}.image")
    if record is None or not len(rows):
        return anchors
    grid = PixelGrid.from_dict(record.as_dictionary())
    height, width = grid.shape[0] * grid.scale[0], grid.shape[1] * grid.scale[1]
    left, top = grid.to_xy(-0.5, -0.5)
    longest = max(height, width)
    half = np.array([min(HALF_CHARACTER * len(label) * longest, width / 2) for label in labels])
    across = grid.direction[1] * (anchors[:, 0] - left)  # from the left and from the top as they are seen
    down = grid.direction[0] * (anchors[:, 1] - top)
    moved_x = left + grid.direction[1] * np.clip(across, half, width - half)
    moved_y = top + grid.direction[0] * np.clip(down, min(LINE * longest, height), height)
    return np.column_stack(
        [
            np.where((across < half) | (across > width - half), moved_x, anchors[:, 0]),
            np.where((down < LINE * longest) | (down > height), moved_y, anchors[:, 1]),
        ]
    )


def row_labels(table, rows: np.ndarray, label: str | None) -> list[str]:
    """Return what is written beside each row; empty where nothing is.

    Parameters
    ----------
    table
        The table that the rows are of.
    rows
        Rows of one frame.
    label
        A column; None for nothing; "auto" for the class with its probability (undefined particles are told by their
        colour), or else the number of the track or of the particle. Numbers that are not finite are written as a dash.

    Raises
    ------
    ValueError
        If there is no such column, or it holds vectors.
    """
    if label is None:
        return [""] * len(rows)
    if label == "auto":
        if "class_index" not in rows.dtype.names:
            label = "track" if "track" in rows.dtype.names else "label"
        else:
            names = table.class_names(rows["class_index"])
            return [
                ""
                if name == UNDEFINED or not np.isfinite(probability)
                else f"{written(name)} {100 * probability:.0f} %"
                for name, probability in zip(names, rows["probability"], strict=True)
            ]
    known = [name for name in table.columns if name == "class" or not rows.dtype[name].shape]
    if label not in known:
        raise ValueError(f"There is no column {label!r} to write; expected one of {', '.join(known)}.")
    values = table.class_names(rows["class_index"]) if label == "class" else rows[label]
    if label in table.names:
        values = np.array([*table.names[label], UNDEFINED], dtype=object)[values]
    return [_value_text(value) for value in values]


def _value_text(value) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}" if np.isfinite(value) else NO_VALUE
    return written(value)
