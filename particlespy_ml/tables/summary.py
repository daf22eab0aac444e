"""The verb `summary`: a short report of a table: how many particles, how large, and of which class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.dataframe import to_dataframe

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal


DIAMETER = "equivalent_circular_diameter"


def summary(table: BaseSignal, confidence: float = 0.95, by: str = "class") -> pd.DataFrame:
    """Return counts, mean diameters and class fractions.

    Particles that the border of the frame cuts are counted and have classes, but their diameters, which are too small,
    are left out.

    Parameters
    ----------
    table
        Particles, classified or not. A lazy table is computed.
    confidence
        Confidence of the intervals.
    by
        "class", or "cluster" or another column of whole numbers or names, whose values are taken for classes.

    Returns
    -------
    pandas.DataFrame
        A row for "all", and where particles are classified one for each class and one for "undefined". ``count``;
        ``fraction`` of all particles with its bounds ``fraction_low`` and ``fraction_high`` (Wilson), which add up to
        one over the classes and "undefined"; ``mean_diameter`` with the standard error ``diameter_error`` and the
        standard deviation ``diameter_spread`` of the equivalent circular diameter, NaN where the table has none, and
        ``unit``, their unit of length, which is in ``attrs["units"]`` too. `class_fractions` gives fractions of the
        particles that have a class; those here take particles as independent: of a movie, see
        ``class_fractions(per="series")``.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> report = pml.data.gold_on_carbon().classify_particles().summary()
    >>> int(report.loc["all", "count"])
    6
    """
    import pandas as pd
    from scipy.stats import binomtest

    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; expected a number between 0 and 1.")
    table = table._computed() if by == "class" else as_classes(table, by)
    frame = to_dataframe(table)
    groups = {"all": frame}
    if table.classes:
        groups |= {name: frame[frame["class"] == name] for name in (*table.classes, UNDEFINED)}
    whole = len(frame)
    rows = {}
    for name, part in groups.items():
        uncut = part[~part["touches_border"].astype(bool)] if "touches_border" in part else part
        diameter = uncut[DIAMETER].to_numpy(float) if DIAMETER in uncut else np.full(len(uncut), np.nan)
        spread = diameter.std(ddof=1) if len(uncut) > 1 else np.nan
        bounds = (np.nan, np.nan)
        if whole and name != "all":
            bounds = tuple(binomtest(len(part), whole).proportion_ci(confidence, "wilson"))
        rows[name] = {
            "count": len(part),
            "fraction": len(part) / whole if whole else np.nan,
            "fraction_low": bounds[0],
            "fraction_high": bounds[1],
            "mean_diameter": diameter.mean() if len(uncut) else np.nan,
            "diameter_error": spread / np.sqrt(len(uncut)) if len(uncut) > 1 else np.nan,
            "diameter_spread": spread,
        }
    report = pd.DataFrame.from_dict(rows, orient="index")
    report["count"] = report["count"].astype(int)
    report.attrs["units"] = table.units.get(DIAMETER, "")
    report["unit"] = report.attrs["units"]
    report.attrs["confidence"] = confidence
    return report
