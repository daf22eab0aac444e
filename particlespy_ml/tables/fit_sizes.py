"""The verb `fit_sizes`: the distribution of sizes as a law of two parameters, with D10, D50 and D90."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.dataframe import to_dataframe
from particlespy_ml.tables.distributions import FEWEST, fit_distribution

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal

SHARES = {"D10": 0.1, "D50": 0.5, "D90": 0.9}


def fit_sizes(
    table: BaseSignal,
    column: str = "equivalent_circular_diameter",
    distribution: str = "lognormal",
    by: str | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fit a lognormal or normal law to the sizes of particles.

    Particles cut by the border of the image are left out: their size is not known. Those below ``min_diameter`` of the
    segmentation are missing, which matters where that is not far below D10.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    column
        A size: "equivalent_circular_diameter", "feret_diameter_max", "area" or another column of numbers.
    distribution
        "lognormal", "normal", or "auto" for the one that describes all particles better (AIC).
    by
        "class", or "cluster" or another column of whole numbers or names: a row for each of its values.
    confidence
        Confidence of the limits, each exact for values that follow the law and are independent.

    Returns
    -------
    pandas.DataFrame
        A row for "all", and one for each value of *by*: ``count``; ``distribution``; ``unit``, which is in
        ``attrs["units"]`` too; ``D10``, ``D50`` (the median) and ``D90``, below which a tenth, a half and nine tenths
        of the particles lie, by number; ``spread``, the standard deviation, of a lognormal law the geometric one, which
        has no unit; each with its limits ``_low`` and ``_high``; and ``aic``. NaN for fewer than three particles.

    Raises
    ------
    ValueError
        If there is no such column or law, or *confidence* is not between 0 and 1.

    See Also
    --------
    plot_histogram : draws the law over the histogram, with ``fit="lognormal"``.

    References
    ----------
    G. J. Hahn and W. Q. Meeker, Statistical Intervals (1991), https://doi.org/10.1002/9780470316771

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> sizes = pml.data.gold_on_carbon().measure_particles().fit_sizes()
    >>> int(sizes.loc["all", "count"]), bool(sizes.loc["all", "D10"] < sizes.loc["all", "D50"])
    (6, True)
    """
    import pandas as pd

    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; expected a number between 0 and 1.")
    if by == "class" and not table.classes:
        raise ValueError("The particles are not classified; expected another by=, or classify_particles() before.")
    table = table._computed() if by in (None, "class") else as_classes(table, by)
    frame = to_dataframe(table)
    if column not in frame or frame[column].dtype.kind not in "iuf":
        numeric = [name for name in frame if frame[name].dtype.kind in "iuf"]
        raise ValueError(f"There is no column of numbers {column!r}; expected one of {', '.join(numeric)}.")
    if "touches_border" in frame:
        frame = frame[~frame["touches_border"]]
    groups = {"all": frame}
    if by is not None:
        groups |= {name: frame[frame["class"] == name] for name in (*table.classes, UNDEFINED)}
    law, rows = distribution, {}
    for name, part in groups.items():
        values = part[column].to_numpy(float)
        values = values[np.isfinite(values)]
        if len(np.unique(values)) < FEWEST:
            if distribution not in ("lognormal", "normal", "auto"):
                fit_distribution(values, distribution)  # raises
            rows[name] = {"count": len(values), "distribution": law if law != "auto" else ""}
            continue
        fitted = fit_distribution(values, law)
        law = fitted.name  # of all particles, for their groups too
        row = {"count": fitted.count, "distribution": law}
        limits = {key: fitted.quantile(share, confidence) for key, share in SHARES.items()}
        for key, (value, low, high) in {**limits, "spread": fitted.spread(confidence)}.items():
            row |= {key: value, f"{key}_low": low, f"{key}_high": high}
        rows[name] = row | {"aic": fitted.aic}
    names = [f"{key}{end}" for key in (*SHARES, "spread") for end in ("", "_low", "_high")]
    result = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=["count", "distribution", *names, "aic"])
    result.attrs["units"] = table.units.get(column, "")
    result.insert(2, "unit", result.attrs["units"])
    result.attrs["confidence"] = confidence
    return result
