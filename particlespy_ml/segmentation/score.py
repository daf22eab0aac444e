"""How well labels agree with the truth."""

from __future__ import annotations

import numpy as np

from particlespy_ml.segmentation.segment import renumber


def count_agreement(labels: np.ndarray, truth: np.ndarray, overlap: float = 0.5) -> dict[str, int]:
    """Count the pixels and the particles on which labels and truth agree.

    Parameters
    ----------
    labels, truth
        Labels of particles, shape (rows, columns).
    overlap
        Intersection over union from which a particle is found.

    Returns
    -------
    dict
        ``intersection`` and ``union`` in pixels; ``matched``, ``found`` and ``true`` particles.
    """
    labels, truth = renumber(labels), renumber(truth)
    inside, expected = labels > 0, truth > 0
    pairs = np.zeros((labels.max(initial=0) + 1, truth.max(initial=0) + 1))
    np.add.at(pairs, (labels.ravel(), truth.ravel()), 1)
    areas = pairs.sum(1)[1:, None] + pairs.sum(0)[None, 1:] - pairs[1:, 1:]
    return {
        "intersection": int((inside & expected).sum()),
        "union": int((inside | expected).sum()),
        "matched": int((pairs[1:, 1:] / np.maximum(areas, 1) >= overlap).sum()),
        "found": int(labels.max(initial=0)),
        "true": int(truth.max(initial=0)),
    }


def score_labels(labels: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the intersection over union of the masks, and F1 of particles matched at 0.5 or more."""
    counts = count_agreement(labels, truth)
    return counts["intersection"] / max(counts["union"], 1), 2 * counts["matched"] / max(
        counts["found"] + counts["true"], 1
    )
