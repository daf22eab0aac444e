"""Fewer classes from the same probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES
from particlespy_ml.core.frames import map_rows
from particlespy_ml.tables.classes import LEAST, check_class_names, class_columns, classes_from_probabilities
from particlespy_ml.tables.rows import add_columns

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal


DIAMETER = "equivalent_circular_diameter"


def merge_rows(
    rows: np.ndarray,
    classes: tuple[str, ...],
    groups: dict[str, tuple[str, ...]],
    min_probability: float | None,
    former_probability: float,
    diameters: tuple[float, float] = (0.0, np.inf),
) -> np.ndarray:
    """Return the rows of a frame with the probabilities of classes summed.

    Parameters
    ----------
    rows
        Classified particles.
    classes
        Their classes.
    groups
        Classes that make up each of the new ones.
    min_probability
        Particles whose largest probability is below are undefined. None for what the rows say of each.
    former_probability
        The same of the classes as they were, unless the rows say it of each. Particles that are undefined though they
        are above it are out of the model's range of sizes, and stay undefined. So do particles without probabilities.
    diameters
        Least and largest equivalent diameter that the model takes, in the unit of the table.
    """
    out = add_columns(rows, class_columns(tuple(groups)), without=[name for name, _ in class_columns(classes)])
    probabilities = np.stack(
        [sum(rows[f"probability_{name}"] for name in members) for members in groups.values()], axis=1
    ).astype(np.float32)
    former = rows[LEAST] if LEAST in rows.dtype.names else former_probability
    least = former if min_probability is None else min_probability
    if LEAST in rows.dtype.names:
        out[LEAST] = least
    index, probability = classes_from_probabilities(probabilities, least)
    out_of_range = (rows["class_index"] < 0) & (rows["probability"] >= former)
    if DIAMETER in rows.dtype.names:
        out_of_range |= (rows["class_index"] < 0) & ~(
            (rows[DIAMETER] >= diameters[0]) & (rows[DIAMETER] <= diameters[1])
        )
    out["class_index"], out["probability"] = np.where(out_of_range, -1, index), probability
    for number, name in enumerate(groups):
        out[f"probability_{name}"] = probabilities[:, number]
    return out


def full_groups(classes: tuple[str, ...], groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Check groups of classes, and add those that are in none as groups of their own, in the order of the classes.

    Raises
    ------
    ValueError
        If a class is unknown, is in two groups, or if a new name is that of a class left as it is.
    """
    groups = {name: (members,) if isinstance(members, str) else tuple(members) for name, members in groups.items()}
    members = [name for group in groups.values() for name in group]
    unknown = sorted(set(members) - set(classes))
    twice = sorted({name for name in members if members.count(name) > 1})
    left = [name for name in groups if name in classes and name not in members]
    if left:
        raise ValueError(f"{left[0]!r} is the name of a class that is in no group; choose another name.")
    check_class_names(groups)
    if unknown or twice or not all(groups.values()):
        raise ValueError(
            f"Expected groups of some of the classes {', '.join(classes)}, each class once; unknown are {unknown}, "
            f"more than once {twice}."
        )
    ordered: dict[str, tuple[str, ...]] = {}
    for name in classes:
        group = next((new for new, group in groups.items() if name in group), name)
        if group in groups:
            ordered[group] = groups[group]
        else:
            ordered[name] = (name,)
    return ordered


def merge_classes(
    table: BaseSignal, groups: dict[str, tuple[str, ...]], min_probability: float | None = None
) -> BaseSignal:
    """Return a classified table with some classes put together; their probabilities are summed.

    Parameters
    ----------
    table
        Classified particles, lazy or not.
    groups
        Classes that make up each new one, such as ``{"crystalline": ("monocrystalline", "polycrystalline")}``; classes
        that are in none stay.
    min_probability
        Particles whose largest probability is below are undefined; by default as the table was made. Particles that are
        undefined because of their image stay so: those out of the model's range of sizes, and those without
        probabilities, as in frames without lattice fringes.

    Returns
    -------
    ParticleTable or LazyParticleTable

    Raises
    ------
    ValueError
        If the table is not classified, or a group names what is no class.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().classify_particles()
    >>> table.merge_classes({"multiply twinned": ("icosahedron", "decahedron")}).classes
    ('multiply twinned', 'cuboctahedron', 'amorphous')
    """
    from particlespy_ml.core.image import navigation_axes
    from particlespy_ml.core.provenance import METADATA_NODE
    from particlespy_ml.tables.table import make_table

    if not table.classes:
        raise ValueError("The table is not classified: make it with classify_particles().")
    full = full_groups(table.classes, groups)
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    model = record.get("model", {})
    former = float(model.get("min_probability", 0.0))
    if min_probability is None and LEAST not in table.columns:
        min_probability = former
    factor = NANOMETRES.get(table.units.get(DIAMETER, ""), np.nan)
    limits = [float(limit) / factor for limit in model.get("diameter_range_nm", ())]
    diameters = tuple(limits) if np.isfinite(limits).all() and len(limits) == 2 else (0.0, np.inf)
    units = {name: unit for name, unit in table.units.items() if name != "class"}
    for name, _ in class_columns(table.classes):
        units.pop(name)
    units |= {name: "" for name, _ in class_columns(tuple(full))}
    least = None if min_probability is None else float(min_probability)
    data = map_rows(merge_rows, table.data, table.classes, full, least, former, diameters)
    # the confusion of merged classes does not follow from that of the classes: other particles are undefined
    record |= {
        "classes": list(full),
        "model": {**model, **({} if least is None else {"min_probability": least}), "confusion_matrix": []},
    }
    record.pop("columns", None)
    record.pop("units", None)
    title = table.metadata.get_item("General.title", "")
    return make_table(data, navigation_axes(table), units, record, title)
