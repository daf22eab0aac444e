"""Where one particle meets another, and pieces of one that meet nowhere."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage import graph

from particlespy_ml.segmentation.numbers import renumber

REACH = 2  # pixels on each side of a border
CONTACT = 0.25  # mean probability along a border from which it is one


def contacts(labels: np.ndarray) -> np.ndarray:
    """Return where particles have another particle within two pixels.

    Parameters
    ----------
    labels
        Particles, shape (rows, columns).

    Returns
    -------
    numpy.ndarray
        Same shape, bool.

    Examples
    --------
    >>> import numpy as np
    >>> contacts(np.array([[0, 1, 1, 1, 2, 2, 2, 2, 0]] * 2))[0].astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 0, 0, 0]
    """
    size = 2 * REACH + 1
    none = np.iinfo(np.int32).max
    smallest = ndi.minimum_filter(np.where(labels > 0, labels, none).astype(np.int32), size)
    return (labels > 0) & ((ndi.maximum_filter(labels, size) != labels) | (smallest != labels))


def merged(labels: np.ndarray, contact: np.ndarray, least: float = CONTACT) -> np.ndarray:
    """Return pieces of particles put together where their common border is no contact.

    The border with the lowest mean probability goes first, and borders of what is put together are one from then on.

    Parameters
    ----------
    labels
        Pieces, numbers 1 to n, shape (rows, columns).
    contact
        Probability that a pixel lies where one particle meets another, same shape.
    least
        Mean probability from which a border stays.

    Returns
    -------
    numpy.ndarray
        Numbers 1 to m, int32.

    Examples
    --------
    >>> import numpy as np
    >>> pieces = np.array([[1, 1, 2, 2, 3, 3]] * 3)
    >>> contact = np.where(np.arange(6) < 3, 0.1, 0.8) * np.ones((3, 1))
    >>> merged(pieces, contact)[0].tolist()
    [1, 1, 1, 1, 2, 2]
    """
    if labels.max(initial=0) < 2:
        return labels.astype(np.int32)
    borders = graph.rag_boundary(labels, contact.astype(float), connectivity=1)
    if 0 in borders:
        borders.remove_node(0)  # the background
    put_together = graph.merge_hierarchical(
        labels,
        borders,
        thresh=least,
        rag_copy=False,
        in_place_merge=True,
        merge_func=lambda borders, source, target: None,
        weight_func=_joined,
    )
    return renumber(np.where(labels > 0, put_together + 1, 0))


def _joined(borders: graph.RAG, source: int, target: int, third: int) -> dict[str, float]:
    """The border of a third piece with two that are put together."""
    parts = [borders[one][third] for one in (source, target) if third in borders[one]]
    count = sum(part["count"] for part in parts)
    return {"weight": sum(part["weight"] * part["count"] for part in parts) / count, "count": count}
