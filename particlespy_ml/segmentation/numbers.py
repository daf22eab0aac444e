"""Numbers of particles in label images: given by users, made without gaps, and taken from what the border cuts."""

from __future__ import annotations

import numpy as np
from skimage.measure import label

from particlespy_ml.segmentation.grid import label_sizes

MAX_LABEL = int(np.iinfo(np.int32).max)
# Labels up to this many times the number of pixels are looked up in an array, which is faster than to sort them.
DENSE = 4


def label_given(given: np.ndarray, numbered: bool = False) -> np.ndarray:
    """Return the labels that a user gives for a frame, int32; the pieces of a mask are numbered.

    Parameters
    ----------
    given
        Booleans, or integers from 0 to 2147483647; those that are zero and one other number in pieces are a mask, too.
    numbered
        Whether integers are known to be numbers of particles, and never a mask.
    """
    given = np.asarray(given)
    if given.dtype.kind == "b":
        return label(given).astype(np.int32)
    check_labels(given)
    return given.astype(np.int32) if numbered else _separate_mask(given.astype(np.int32))


def _separate_mask(labels: np.ndarray) -> np.ndarray:
    """Number the pieces of labels that have one value only: they are a mask, such as one of 0 and 255."""
    highest = labels.max(initial=0)
    if highest == 0 or not np.isin(labels, (0, highest)).all():
        return labels
    pieces, count = label(labels > 0, return_num=True)
    return pieces.astype(np.int32) if count > 1 else labels


def check_labels(labels: np.ndarray) -> None:
    """Raise ValueError if a label is negative, or too high for the tables, which hold labels as int32."""
    labels = np.asarray(labels)
    if not labels.size or labels.dtype.kind == "b":
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        raise ValueError(f"Labels are 0 for background and above for particles, not {low}.")
    if high > MAX_LABEL:
        raise ValueError(
            f"The label {high} is above {MAX_LABEL}, the highest that a table holds; number the particles anew, for "
            "example with skimage.segmentation.relabel_sequential(labels)[0]."
        )


def clear_border_particles(labels: np.ndarray) -> np.ndarray:
    """Return the labels without the particles that touch the border of the frame."""
    edges = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.where(np.isin(labels, edges), 0, labels)


def number_particles(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the particles 1 to n without gaps, in ascending order of their labels.

    Parameters
    ----------
    labels
        Integers of any size from 0, which is background.

    Returns
    -------
    found : numpy.ndarray
        The labels that occur, ascending.
    numbers : numpy.ndarray
        Shape of the labels, int32.
    """
    labels = np.asarray(labels)
    if not labels.size:
        return labels.ravel(), labels.astype(np.int32)
    if labels.min() < 0:
        raise ValueError(f"Labels are 0 for background and above for particles, not {labels.min()}.")
    if int(labels.max()) >= DENSE * labels.size:
        found, numbers = np.unique(labels, return_inverse=True)
        background = int(found[0] == 0)
        return found[background:], (numbers.reshape(labels.shape) + 1 - background).astype(np.int32)
    present = label_sizes(labels) > 0
    present[0] = True
    if present.all():
        return np.arange(1, len(present)), labels.astype(np.int32, copy=False)
    present[0] = False
    return np.flatnonzero(present), (np.cumsum(present) * present).astype(np.int32)[labels]


def renumber(labels: np.ndarray) -> np.ndarray:
    """Number the particles 1 to n without gaps, in ascending order of their labels, int32."""
    return number_particles(labels)[1]
