"""What a verb needs of a table."""

from __future__ import annotations


def check_measured(table, *columns: str) -> None:
    """Raise ValueError if a table has not the columns of measured particles that a verb needs.

    Parameters
    ----------
    table
        Particle table.
    *columns
        Names; by default the place, the outline and the box of each particle.
    """
    columns = columns or ("label", "x", "y", "outline", "bbox_x_min", "bbox_x_max", "bbox_y_min", "bbox_y_max")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(
            f"The table has no {', '.join(missing)}: its particles were not measured. Make it with measure_particles() "
            "or classify_particles(); zone axes are added to it by stack.find_zone_axis(..., table=table)."
        )
