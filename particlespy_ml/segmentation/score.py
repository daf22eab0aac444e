"""How well labels agree with the truth."""

from __future__ import annotations

import numpy as np

from particlespy_ml.segmentation.grid import label_sizes
from particlespy_ml.segmentation.numbers import renumber

ALIKE = 0.8  # F1 of two ways to outline particles from which they count as the same


def count_agreement(
    labels: np.ndarray,
    truth: np.ndarray,
    overlap: float = 0.5,
    *,
    smallest: float = 0,
    hidden: np.ndarray | None = None,
) -> dict[str, int]:
    """Count the pixels and the particles on which labels and truth agree.

    Particles that the border cuts neither gain nor lose: pixels of true ones, and of found ones that lie on these for
    the most part, do not count. Only whole true particles are to be found, and whole found ones are wrong if they match
    no true one, whole or cut. The same holds for true particles that are hidden, and what lies on these for the most
    part is not wrong either. A limit of size is one of true particles, and of found ones that match none [1]_.

    Parameters
    ----------
    labels, truth
        Labels of particles, shape (rows, columns).
    overlap
        Intersection over union from which a particle is found.
    smallest
        Area in pixels of the smallest particle that counts.
    hidden
        Whether each true particle, in the order of their numbers, is one that nobody could see; none is by default.

    Returns
    -------
    dict
        ``intersection`` and ``union`` in pixels; ``matched``, ``missed`` and ``wrong`` particles.

    References
    ----------
    .. [1] Ranges of area as in T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV (2014).
    """
    labels, truth = renumber(labels), renumber(truth)
    inside, expected = labels > 0, truth > 0
    pairs = np.zeros((labels.max(initial=0) + 1, truth.max(initial=0) + 1))
    np.add.at(pairs, (labels.ravel(), truth.ravel()), 1)
    found_areas, true_areas, common = pairs.sum(1)[1:], pairs.sum(0)[1:], pairs[1:, 1:]
    same = common / np.maximum(found_areas[:, None] + true_areas[None] - common, 1) >= overlap
    hidden = np.zeros(len(true_areas), bool) if hidden is None else np.asarray(hidden, bool)
    wanted = ~_touches_border(truth) & ~hidden & (true_areas >= smallest)
    on_hidden = common[:, hidden].sum(1) > 0.5 * found_areas
    wrong = ~same.any(1) & ~_touches_border(labels) & ~on_hidden & (found_areas >= smallest)
    on_others = common[:, ~wanted].sum(1) > 0.5 * found_areas
    counts = np.concatenate([[True], wanted])[truth] & ~np.concatenate([[False], on_others])[labels]
    return {
        "intersection": int((inside & expected & counts).sum()),
        "union": int(((inside | expected) & counts).sum()),
        "matched": int((same.any(0) & wanted).sum()),
        "missed": int((~same.any(0) & wanted).sum()),
        "wrong": int(wrong.sum()),
    }


def _touches_border(labels: np.ndarray) -> np.ndarray:
    """Whether each particle, 1 to n, touches the border."""
    edges = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(np.arange(1, labels.max(initial=0) + 1), edges)


def score_labels(labels: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the intersection over union of the masks, and F1 of particles matched at 0.5 or more."""
    counts = count_agreement(labels, truth)
    right = 2 * counts["matched"]
    return counts["intersection"] / max(counts["union"], 1), right / max(right + counts["missed"] + counts["wrong"], 1)


def are_alike(labels: np.ndarray, others: np.ndarray) -> bool:
    """Return whether two ways to outline the particles of a frame found the same, for the most part.

    Parameters
    ----------
    labels, others
        Labels of particles, shape (rows, columns).

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((9, 9), int)
    >>> labels[2:5, 2:5] = 1
    >>> are_alike(labels, labels), are_alike(labels, np.roll(labels, 3, 1))
    (True, False)
    """
    both = (labels > 0) & (others > 0)
    pairs, pixels = np.unique(np.stack([labels[both], others[both]]), axis=1, return_counts=True)
    sizes, other_sizes = label_sizes(labels), label_sizes(others)
    union = sizes[pairs[0]] + other_sizes[pairs[1]] - pixels
    matched = 2 * np.count_nonzero(pixels > 0.5 * union)  # each particle has one such partner at most
    number = np.count_nonzero(sizes[1:]) + np.count_nonzero(other_sizes[1:])
    return bool(matched >= ALIKE * number)
