"""Units of columns: lengths and areas in another unit, and columns named with their unit."""

from __future__ import annotations

from particlespy_ml.core.calibration import NANOMETRES


def convert(unit: str, length_unit: str) -> tuple[str, float]:
    """Return the unit that a column has once lengths are in another one, and what its values are multiplied by.

    Parameters
    ----------
    unit
        Unit of the column: of a length ("nm"), of an area ("nm²"), or any other, which stays as it is.
    length_unit
        Unit of length wanted: pm, Å, nm, µm, mm or m.

    Raises
    ------
    ValueError
        If *length_unit* is none.

    Examples
    --------
    >>> from particlespy_ml.tables.units import convert
    >>> convert("Å²", "nm")[0], convert("°", "nm")
    ('nm²', ('°', 1.0))
    """
    if length_unit not in NANOMETRES:
        raise ValueError(f"length_unit={length_unit!r}; expected one of pm, Å, nm, µm, mm and m.")
    power = 2 if unit.endswith("²") else 1
    length = unit.removesuffix("²")
    if length not in NANOMETRES:
        return unit, 1.0
    factor = (NANOMETRES[length] / NANOMETRES[length_unit]) ** power
    return f"{length_unit}{'²' if power == 2 else ''}", float(f"{factor:.12g}")


def name_with_unit(name: str, unit: str) -> str:
    """Return the name of a column with its unit, as in the heads of CSV files.

    Examples
    --------
    >>> from particlespy_ml.tables.units import name_with_unit
    >>> name_with_unit("area", "nm²"), name_with_unit("solidity", "")
    ('area (nm²)', 'solidity')
    """
    return f"{name} ({unit})" if unit else name
