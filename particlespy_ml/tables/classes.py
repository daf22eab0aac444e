"""Names of classes."""

from __future__ import annotations

import numpy as np

UNDEFINED = "undefined"  # the class of particles that have none
NONE = "probability_none"  # of a particle that is none of the classes
LEAST = "min_probability"  # that the class of a particle had to have
BESIDE = (NONE, LEAST)  # columns that come with classes, with some models and options


def check_class_names(names) -> None:
    """Raise ValueError unless names can be those of classes: each once, none empty, none with a meaning of its own."""
    names = list(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    taken = [name for name in names if not name.strip() or name in (UNDEFINED, "frame", "particles")]
    if twice or taken:
        raise ValueError(
            f"The names {names} cannot be those of classes: more than once are {twice}, and {taken} have another "
            "meaning in tables; give each class a name of its own."
        )


def class_columns(classes: tuple[str, ...], beside: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return names and dtypes of the columns that classification adds.

    ``class_index`` counts the classes in order; -1 is undefined. *beside* are some of `BESIDE`.
    """
    numbers = [*(f"probability_{name}" for name in classes), *beside]
    return [("class_index", "i1"), ("probability", "f4"), *((name, "f4") for name in numbers)]


def classes_from_probabilities(
    probabilities: np.ndarray, min_probability: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return class indices (-1 where undefined) and the probability of the most probable class.

    Parameters
    ----------
    probabilities
        Shape (n, classes); rows that are NaN are undefined.
    min_probability
        Particles whose largest probability is below are undefined; one for all, or shape (n,).
    """
    if len(probabilities) == 0:
        return np.zeros(0, np.int8), np.zeros(0, np.float32)
    known = np.isfinite(probabilities).all(1)
    filled = np.where(known[:, None], probabilities, 0)
    best = filled.argmax(1)
    probability = np.where(known, filled.max(1), np.nan).astype(np.float32)
    return np.where(known & (filled.max(1) >= min_probability), best, -1).astype(np.int8), probability
