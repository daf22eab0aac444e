"""Where one particle meets another, and pieces of one that meet nowhere."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
from scipy import ndimage as ndi

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
    borders: dict[int, dict[int, tuple[float, int]]] = {}
    for (a, b), border in _borders(labels, contact).items():
        borders.setdefault(a, {})[b] = borders.setdefault(b, {})[a] = border
    queue = [(total / count, a, b) for a, own in borders.items() for b, (total, count) in own.items() if a < b]
    heapify(queue)
    parents = np.arange(int(labels.max(initial=0)) + 1)
    while queue:
        mean, kept, gone = heappop(queue)
        if mean >= least:
            break
        total, count = borders.get(kept, {}).get(gone, (0.0, 0))
        if not count or total / count != mean:
            continue  # the border has become part of another
        if len(borders[kept]) < len(borders[gone]):
            kept, gone = gone, kept
        parents[gone] = kept
        for third, own in borders.pop(gone).items():
            del borders[third][gone]
            if third == kept:
                continue
            before = borders[kept].get(third, (0.0, 0))
            joined = (before[0] + own[0], before[1] + own[1])
            borders[kept][third] = borders[third][kept] = joined
            heappush(queue, (joined[0] / joined[1], min(kept, third), max(kept, third)))
    while (parents != parents[parents]).any():
        parents = parents[parents]
    numbers = np.unique(parents[1:], return_inverse=True)[1] + 1 if len(parents) > 1 else np.zeros(0, int)
    return np.append(0, numbers).astype(np.int32)[labels]


def _borders(labels: np.ndarray, contact: np.ndarray) -> dict[tuple[int, int], tuple[float, int]]:
    """Sum of the probability over the borders of neighbours, and pairs of pixels that it is of."""
    first, second, value = [], [], []
    for own, other in (np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1]):
        a, b = labels[own], labels[other]
        where = (a != b) & (a > 0) & (b > 0)
        first.append(np.minimum(a[where], b[where]))
        second.append(np.maximum(a[where], b[where]))
        value.append((contact[own][where] + contact[other][where]) / 2)
    pairs = np.stack([np.concatenate(first), np.concatenate(second)], 1)
    pairs, which, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    totals = np.bincount(which.ravel(), np.concatenate(value), len(pairs))
    return {(int(a), int(b)): (float(total), int(n)) for (a, b), total, n in zip(pairs, totals, counts, strict=True)}
