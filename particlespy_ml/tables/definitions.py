"""What each column of a table is, in a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal

PARTICLES = {
    "label": "number of the particle in the labels of its frame, from 1",
    "x": "centroid of the particle's pixels along the x axis of the image",
    "y": "centroid of the particle's pixels along the y axis of the image",
    "area": "area of the particle's pixels",
    "equivalent_circular_diameter": "diameter of the circle of the same area",
    "major_axis_length": "longer axis of the ellipse with the same second moments",
    "minor_axis_length": "shorter axis of the ellipse with the same second moments",
    "orientation": "angle of the major axis from x towards y, from -90 to 90",
    "feret_diameter_max": "largest caliper width: distance of two parallel lines that the particle fits between",
    "feret_diameter_min": "smallest caliper width",
    "perimeter": "length of the smooth outline, holes left out",
    "circularity": "4 pi area / perimeter²: 1 for a circle, less for all others",
    "eccentricity": "of the ellipse with the same second moments: 0 for a circle, near 1 for a rod",
    "solidity": "area over that of the convex hull: less than 1 for what is dented",
    "intensity": "all light of the particle above its background, that outside of the outline included",
    "intensity_error": "standard error of the intensity",
    "intensity_max": "highest value in the outline above the background",
    "intensity_mean": "mean value in the outline above the background",
    "intensity_std": "standard deviation of the values in the outline",
    "background": "brightness of what surrounds the particle, at its centroid",
    "bbox_x_min": "lower edge along x of the box that holds the particle's pixels",
    "bbox_y_min": "lower edge along y of the box that holds the particle's pixels",
    "bbox_x_max": "upper edge along x of the box that holds the particle's pixels",
    "bbox_y_max": "upper edge along y of the box that holds the particle's pixels",
    "bbox_area": "area of that box",
    "bbox_length": "diagonal of that box",
    "nearest_neighbour_distance": "from centroid to the nearest centroid of another particle of the frame",
    "detection_probability": "that it is a particle at all, where a network for any support found it; calibrated",
    "touches_border": "whether the border of the image, or of what was recorded of it, cuts the particle",
    "outline": "closed polygon of 64 (x, y) vertices around the particle, without holes",
    "class": "most probable class; undefined where it is too improbable or the model is not for such particles",
    "class_index": "number of the class in table.classes, -1 for undefined",
    "probability": "of the class",
    "min_probability": "that the class had to have, for the accuracy asked for",
    "track": "number of the particle through the series, the same in all frames",
    "unusual_frame": "whether the number of particles of the frame jumps against the frames around it",
    "drift_x": "how far the field of the frame lies from that of the first frame along x",
    "drift_y": "how far the field of the frame lies from that of the first frame along y",
    "cluster": "population that the particle was sorted into, -1 for none",
    "cluster_probability": "that the particle belongs to its cluster",
    "subcluster": "part of a cluster that was clustered again, -1 for particles of other clusters",
    "subcluster_probability": "that the particle belongs to its subcluster",
    "zone_axis": "zone axis along which the particle is seen; undefined off the axes that were looked for",
    "zone_axis_score": "how clearly the reflections of the zone axis stand out: 1 or more on an axis",
    "lattice_constant": "of the lattice that was found, by the calibration of the image",
    "a_x": "x of the first vector of the plane lattice of the columns",
    "a_y": "y of the first vector of the plane lattice of the columns",
    "b_x": "x of the second vector of the plane lattice of the columns",
    "b_y": "y of the second vector of the plane lattice of the columns",
    "source": "table that the row comes from",
    "embedding": "what the network sees before it decides on a class",
}
COLUMNS = {
    "x": "place of the atomic column along the x axis of the image",
    "y": "place of the atomic column along the y axis of the image",
    "x_error": "standard error of x",
    "y_error": "standard error of y",
    "volume": "scattering cross-section: volume below the Gaussian, in units of the image times an area",
    "volume_error": "standard error of the cross-section",
    "width": "standard deviation of the Gaussian",
    "width_error": "standard error of the width",
    "background": "brightness below the column",
    "significance": "how far the column stands out of the noise, in standard deviations",
    "site_a": "index of the lattice site along its first vector",
    "site_b": "index of the lattice site along its second vector",
    "flags": "what is wrong with the column, see table.describe_flags()",
    "count": "number of atoms, -1 where it is not certain enough to be given",
    "probability": "of the count, or, of columns that a network found, that there is a column",
    "label": "number of the particle that the column is in",
    "class": "most probable kind of the column",
    "height": "most probable number of atoms of the column, -1 for kinds whose atoms are not counted",
    "height_probability": "of the height",
    "expected_height": "mean of the number of atoms over its probabilities",
    "expected_height_error": "standard deviation of the number of atoms over its probabilities",
    "resolvable": "whether that is less than half an atom, so that numbers of atoms are told apart",
    "count_2": "second most probable number of atoms",
    "probability_2": "of the second most probable number",
    "count_3": "third most probable number of atoms",
    "probability_3": "of the third most probable number",
    "expected_count": "mean of the numbers of atoms by their probabilities",
    "count_error": "standard deviation of the numbers of atoms by their probabilities",
    "best_count": "most probable number of atoms, also where it is not certain",
    "best_probability": "of the best count",
    "shared_draws": "expected count under values of all that the columns of a frame share, for total_counts",
    "exx": "strain along x: relative change of the distances between columns",
    "eyy": "strain along y",
    "exy": "shear strain: half of what the angle between x and y loses, in radians",
    "rotation": "angle of the template from x towards y, up to the turns that leave the template as it is",
    "planar": "mean of exx and eyy",
    "exx_error": "standard error of exx",
    "eyy_error": "standard error of eyy",
    "exy_error": "standard error of exy",
    "rotation_error": "standard error of the rotation",
    "planar_error": "standard error of the planar strain",
    "rmsd": "of the column and its neighbours from the template, over the distance between neighbours",
    "template": "arrangement of neighbours that fits best; undefined where none does",
    "match": "whether the column was matched with a template, or why not",
    "n_neighbours": "number of neighbours that were matched with the template",
    "n_missing": "number of neighbours of the template that the column has not",
    "normal_x": "x of the unit normal of the surface, outwards, of columns at the rim",
    "normal_y": "y of the unit normal of the surface, outwards, of columns at the rim",
    "x_scatter": "standard deviation of x over the frames of a movie, of mean columns",
    "y_scatter": "standard deviation of y over the frames of a movie, of mean columns",
    "n_frames": "number of frames with a column at the site, of mean columns",
    "n_frames_missing": "number of frames that show the site but no column, of mean columns",
    "track": "number of the column through the series, the same in all frames",
    "mean_x": "x of the column in the mean image of the movie",
    "mean_y": "y of the column in the mean image of the movie",
    "in_mean": "whether the mean of all frames shows the column, not those of parts of the movie alone",
    "coordination": "number of the nearest places of the lattice around the column that hold a column",
    "layer": "1 for columns at the surface, 2 below them and so on; 0 where it is not known",
    "facet": "facet in projection that the column is on; bulk, corner (or kink, step, alone), other or undefined",
    "drift_x": "how far the frame lies from the mean image along x, at its middle",
    "drift_y": "how far the frame lies from the mean image along y, at its middle",
    "drift_error": "standard error of the drift along each axis",
    "drift_angle": "turn of the frame against the mean image, from x towards y",
    "likeness": "slope of the frame against the mean image: about 1, less where it is blurred",
    "source": "table that the row comes from",
}
LENGTH, AREA, ANGLE, PIXEL = "length", "length²", "degrees", "pixel value"
UNITS = {
    LENGTH: (
        "x y equivalent_circular_diameter major_axis_length minor_axis_length feret_diameter_max feret_diameter_min "
        "perimeter bbox_x_min bbox_y_min bbox_x_max bbox_y_max bbox_length nearest_neighbour_distance outline drift_x "
        "drift_y lattice_constant a_x a_y b_x b_y x_error y_error width width_error x_scatter y_scatter "
        "mean_x mean_y drift_error"
    ),
    AREA: "area bbox_area",
    ANGLE: "orientation rotation rotation_error drift_angle",
    PIXEL: "intensity intensity_error intensity_max intensity_mean intensity_std background",
    f"{PIXEL} times {AREA}": "volume volume_error",
}
# What tells how far a column may be wrong, where that is not the column of the same name and "_error".
ERRORS = {
    "particle_table": {
        "class": "probability",
        "class_index": "probability",
        "cluster": "cluster_probability",
        "subcluster": "subcluster_probability",
        "zone_axis": "zone_axis_score",
    },
    "column_table": {
        "count": "probability",
        "count_2": "probability_2",
        "count_3": "probability_3",
        "best_count": "best_probability",
        "expected_count": "count_error",
        "height": "height_probability",
        "class": "probability",
        "mean_x": "x_error",
        "mean_y": "y_error",
        "drift_x": "drift_error",
        "drift_y": "drift_error",
        "template": "rmsd",
    },
}
PATTERNS = {
    r"height_probability_(\d+)": "probability that the column has {0} atoms",
    r"probability_none": "probability that the particle is none of the classes",
    r"probability_(.+)": "probability of the class {0}",
    r"zone_axis_score_(.+)": "score of the zone axis {0}",
    r"fourier_(\d+)": "how strongly the outline has {0} lobes, over its size",
    r"hu_(\d)": "invariant moment {0} of the outline (Hu)",
    r"intensity_hu_(\d)": "invariant moment {0} of the light (Hu)",
    r"zernike_(\d+)_(\d+)": "modulus of the Zernike moment n = {0}, m = {1} of the outline",
    r"intensity_zernike_(\d+)_(\d+)": "modulus of the Zernike moment n = {0}, m = {1} of the light",
    r"radial_(\d)": "share of the light in ring {0} of 8 from the middle",
}


def define(column: str, kind: str = "particle_table") -> str:
    """Return the definition of a column; empty for one that is not known, such as one of the user's own.

    Parameters
    ----------
    column
        Its name.
    kind
        "particle_table" or "column_table".

    Examples
    --------
    >>> from particlespy_ml.tables.definitions import define
    >>> define("equivalent_circular_diameter")
    'diameter of the circle of the same area'
    """
    known = COLUMNS if kind == "column_table" else PARTICLES
    if column in known:
        return known[column]
    matches = ((re.fullmatch(pattern, column), text) for pattern, text in PATTERNS.items())
    return next((text.format(*match.groups()) for match, text in matches if match), "")


def dimension(column: str) -> str:
    """Return what the unit of a column is a unit of; empty for numbers, names and those that are not known.

    Parameters
    ----------
    column
        Its name.

    Examples
    --------
    >>> from particlespy_ml.tables.definitions import dimension
    >>> dimension("area"), dimension("circularity")
    ('length²', '')
    """
    return next((unit for unit, names in UNITS.items() if column in names.split()), "")


def error_column(column: str, kind: str = "particle_table") -> str:
    """Return the column that tells how far another may be wrong; empty where none does.

    Parameters
    ----------
    column
        Its name.
    kind
        "particle_table" or "column_table".

    Returns
    -------
    str
        Column of its standard error, or of the probability or the score of what it names.

    Examples
    --------
    >>> from particlespy_ml.tables.definitions import error_column
    >>> error_column("intensity"), error_column("class"), error_column("area")
    ('intensity_error', 'probability', '')
    """
    known = COLUMNS if kind == "column_table" else PARTICLES
    return ERRORS[kind].get(column, f"{column}_error" if f"{column}_error" in known else "")


def describe_columns(table: BaseSignal) -> pd.DataFrame:
    """Return the unit and the definition of every column of a table.

    Parameters
    ----------
    table
        Particle or column table, lazy or not.

    Returns
    -------
    pandas.DataFrame
        One row for each column, by its name: ``unit`` and ``definition``.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> table.describe_columns().loc["area"].tolist()
    ['nm²', "area of the particle's pixels"]
    """
    import pandas as pd

    kind = str(table.metadata.get_item("Signal.signal_type"))
    units = table.units
    rows = {name: (units.get(name, ""), define(name, kind)) for name in table.columns}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["unit", "definition"])


def page() -> str:
    """Return the definitions of all columns as a page of Markdown."""
    lines = [
        "# Columns of tables",
        "",
        "`table.describe_columns()` prints those of your table, with their units. Lengths are in the unit of the axes.",
        "The last column names what tells how far a value may be wrong: its standard error, or the probability or the",
        "score of a name or a number. Where it is empty there is none: sizes and shapes are as good as their outlines",
        "([questions](questions.md#the-outlines-are-wrong-what-can-i-do)).",
    ]
    tables = (("Particles", PARTICLES, "particle_table"), ("Atomic columns", COLUMNS, "column_table"))
    for title, known, kind in tables:
        lines += ["", f"## {title}", "", "| column | unit | what it is | error |", "|---|---|---|---|"]
        for name, text in known.items():
            error = error_column(name, kind)
            lines.append(f"| `{name}` | {dimension(name)} | {text} | {f'`{error}`' if error else ''} |")
    lines += ["", "## Several of a kind", "", "| columns | what they are |", "|---|---|"]
    names = {r"(.+)": "NAME", r"(\d+)_(\d+)": "N_M", r"(\d+)": "N", r"(\d)": "N"}
    for pattern, text in PATTERNS.items():
        shown = pattern
        for part, name in names.items():
            shown = shown.replace(part, name)
        words = ("N", "M") if shown.endswith("N_M") else (shown.rsplit("_", 1)[1],)
        lines.append(f"| `{shown}` | {text.format(*words)} |")
    return "\n".join(lines) + "\n"
