"""What `by=` means: the rows of a table, or the particles of a stack, in groups."""

from __future__ import annotations

import numpy as np


def group_rows(table, by: str) -> tuple[np.ndarray, list | None]:
    """Return one whole number for each row of a table, below 0 for those in no group, and what numbers from 0 on mean.

    Parameters
    ----------
    table
        Particle or column table; a lazy one is computed.
    by
        "class", or the name of another column of whole numbers or of names.

    Returns
    -------
    values : numpy.ndarray
        Shape (rows,).
    names : list of str or None
        Names of the values 0, 1, ...; None where they are mere numbers.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> from particlespy_ml.tables.groups import group_rows
    >>> values, names = group_rows(pml.data.gold_on_carbon().classify_particles(), "class")
    >>> len(values), names[0]
    (6, 'icosahedron')
    """
    if by == "class":
        if not table.classes:
            raise ValueError("The particles are not classified; make the table with classify_particles(), or give by=.")
        return table.codes("class_index"), list(table.classes)
    values = table.codes(by) if isinstance(by, str) and by in table.columns else np.empty(0)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        whole = [name for name in table.columns if name != "class" and table.codes(name).dtype.kind in "iu"]
        raise ValueError(
            f"There is no column of whole numbers {by!r}; expected {'class, ' if table.classes else ''}one of "
            f"{', '.join(whole)}. cluster_particles() makes clusters."
        )
    return values, table.names.get(by)


def group_particles(clusters, by: str, count: int) -> tuple[np.ndarray, list | None]:
    """Return one whole number for each particle of a stack, as `group_rows` does for a table.

    Parameters
    ----------
    clusters
        Table of the particles, or one whole number for each of them, below 0 for those in no group.
    by
        A column of the table.
    count
        Particles of the stack.

    Raises
    ------
    ValueError
        If there is no such column, or not one whole number for each particle.
    """
    if hasattr(clusters, "codes"):
        values, names = group_rows(clusters, by)
    else:
        values, names = np.asarray(clusters.data if hasattr(clusters, "axes_manager") else clusters), None
    if values.shape != (count,):
        raise ValueError(
            f"Expected a value for each of the stack's {count} particles, not values of shape {values.shape}; extract "
            "the stack with this table."
        )
    whole = values.astype(np.int64) if values.dtype.kind in "biu" else None
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        whole = values.astype(np.int64)
    if whole is None:
        raise ValueError(
            f"Expected whole numbers, below 0 for particles that are left out, not {values.dtype} such as "
            f'{values[:1].tolist()}; give the table of the particles, with by="cluster" or by="class".'
        )
    return whole, names
