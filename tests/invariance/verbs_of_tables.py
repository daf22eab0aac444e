"""Rows: a verb of tables returns numbers; and the tables that they are run on.

Every public method of the tables has a row here, or is named among those that are no verbs.
"""

from __future__ import annotations

import numpy as np

from particlespy_ml.signals.particle_table import ParticleTable
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table, object_array
from tests.invariance.stored import LEVEL, columns, particles


def measured(classes=True):
    """The table of the particles, tracked and, where asked, with classes."""
    table = particles().measure_particles(np.asarray(particles().data) > LEVEL).track_particles()
    return table.as_classes("label", ["one", "two", "three"]) if classes else table


def of_frame(frame) -> dict:
    numbers = frame.select_dtypes("number")
    return {name: numbers[name].to_numpy() for name in numbers}


PARTICLE_ROWS = {
    "to_dataframe": lambda t: of_frame(t.to_dataframe()),
    "select": lambda t: of_frame(t.select("area > 0.3 and class != 'three'").to_dataframe()),
    "drop": lambda t: of_frame(t.drop("outline").to_dataframe()),
    "describe_columns": lambda t: {"lengths": t.describe_columns()["definition"].str.len()},
    "as_classes": lambda t: of_frame(t.as_classes("track").to_dataframe()),
    "class_fractions": lambda t: of_frame(t.class_fractions()),
    "merge_classes": lambda t: of_frame(t.merge_classes({"most": ("one", "two")}).to_dataframe()),
    "summary": lambda t: of_frame(t.summary()),
    "fit_sizes": lambda t: of_frame(t.fit_sizes(distribution="normal")),
    "unusual_frames": lambda t: of_frame(t.unusual_frames()),
    "to_csv": lambda t, folder: of_frame(exported(t.to_csv, folder, "csv")),
    "to_excel": lambda t, folder: of_frame(exported(t.to_excel, folder, "xlsx")),
    "track_particles": lambda t: {"track": t.track_particles()["track"]},
    "measure_shape": lambda t: of_frame(t.measure_shape().to_dataframe()),
    "measure_shape with an image": lambda t: of_frame(t.measure_shape("radial", particles()).to_dataframe()),
    "cluster_particles": lambda t: {"cluster": t.cluster_particles(["area"], n_clusters=2, resamples=0)["cluster"]},
    "to_markers": lambda t: {"texts": [len(t.to_markers())]},
    "to_particle_list": lambda t: {"area": [p.properties["area"]["value"] for p in t.inav[0].to_particle_list().list]},
    "from_particle_list": lambda t: {
        "area": ParticleTable.from_particle_list(t.inav[0].to_particle_list(particles().inav[0]), particles().inav[0])[
            "area"
        ]
    },
    "save": lambda t, folder: of_frame(saved(t, folder).to_dataframe()),
}


MOVIE_ROWS = {
    "class_sequence": lambda t: of_frame(t.class_sequence()),
    "transitions": lambda t: of_frame(t.transitions().to_dataframe()),
    "free_energy_differences": lambda t: of_frame(t.free_energy_differences(300.0)),
}


COLUMN_ROWS = {
    "to_dataframe": lambda t: of_frame(t.to_dataframe()),
    "select": lambda t: of_frame(t.select("volume > 2").to_dataframe()),
    "drop": lambda t: of_frame(t.drop("width").to_dataframe()),
    "describe_columns": lambda t: {"lengths": t.describe_columns()["definition"].str.len()},
    "to_csv": lambda t, folder: of_frame(exported(t.to_csv, folder, "csv")),
    "to_excel": lambda t, folder: of_frame(exported(t.to_excel, folder, "xlsx")),
    "describe_flags": lambda t: {"lengths": [len(text) for text in t.describe_flags()]},
    "frame": lambda t: {"x": t.frame(0)[0]["x"]},
    "count_atoms": lambda t: {"count": t.count_atoms()["count"]},
    "total_counts": lambda t: of_frame(t.total_counts()),
    "count_atoms_in_series": lambda t: {"count": t.count_atoms_in_series(LIBRARY)["count"]},
    "to_atoms": lambda t: {"positions": t.to_atoms("Pt", best=True).positions},
    "surface_dynamics": lambda t: of_frame(surface_of(t)),
    "measure_strain": lambda t: of_frame(t.measure_strain("square").to_dataframe()),
    "strain_by_layer": lambda t: of_frame(t.measure_strain("square").strain_by_layer()),
    "mean_columns": lambda t: of_frame(t.mean_columns().to_dataframe()),
    "to_sublattice": lambda t: {"x": t.to_sublattice(columns().inav[0]).x_position},
    "from_sublattice": lambda t: {
        "x": t.from_sublattice(np.column_stack([t.frame(0)[0][k] for k in ("x", "y")]), columns().inav[0])["x"]
    },
    "save": lambda t, folder: of_frame(saved(t, folder).to_dataframe()),
}


def surface_of(table):
    """Sites of a movie of as many equal frames as a movie needs; lazy where the table is."""
    from hyperspy.signals import Signal2D

    lazy = table._lazy
    table = table.deepcopy()
    table.compute() if lazy else None
    rows = table.data[0]
    rows = add_columns(rows, [("track", "i4")])
    rows["track"] = np.arange(len(rows))
    axes = [{"name": "time", "size": 24, "units": "s", "navigate": True}]
    record = {"image": table.grid.as_dict()}
    movie = make_table(
        object_array([rows] * 24, (24,)), axes, {**table.units, "track": ""}, record, kind="column_table"
    )
    image = Signal2D(np.tile(columns().data[0], (24, 1, 1)) + np.random.default_rng(0).normal(size=(24, 60, 64)))
    for axis, scale in zip(image.axes_manager.signal_axes, table.grid.scale[::-1], strict=True):
        axis.scale, axis.units = scale, table.grid.units
    return (movie.as_lazy() if lazy else movie).surface_dynamics(image.as_lazy() if lazy else image).to_dataframe()


LIBRARY = np.arange(1, 9) * 1.0


def exported(write, folder, suffix):
    import pandas as pd

    path = folder / f"table.{suffix}"
    write(path)
    return (pd.read_csv if suffix == "csv" else pd.read_excel)(path)


def saved(table, folder):
    import hyperspy.api as hs

    table.save(folder / "table.hspy", overwrite=True)
    return hs.load(folder / "table.hspy")


def column_table():
    """Two frames of columns of one to six atoms, one unit of volume each, which no verb need find first."""
    from particlespy_ml.columns.rows import column_dtype, column_units
    from particlespy_ml.core.calibration import pixel_grid

    rng = np.random.default_rng(0)
    grid = pixel_grid(columns())
    frames = []
    for _ in range(2):
        rows = np.zeros(36, column_dtype())
        a, b = (g.ravel() for g in np.meshgrid(np.arange(6), np.arange(6)))
        rows["x"], rows["y"], rows["site_a"], rows["site_b"] = 0.2 + 0.196 * a, 0.2 + 0.196 * b, a, b
        rows["volume"] = np.tile(np.arange(1, 7), 6) + rng.normal(0, 0.05, 36)
        rows["volume_error"], rows["width"], rows["significance"] = 0.05, 0.04, 50
        frames.append(rows)
    axes = [{"name": "time", "size": 2, "navigate": True}]
    record = {"image": grid.as_dict()}
    return make_table(object_array(frames, (2,)), axes, column_units("nm"), record, kind="column_table")


NO_VERBS = {
    "transpose",
    "compute",
    "classes",
    "columns",
    "units",
    "names",
    "codes",
    "n_rows",
    "n_particles",
    "n_columns",
    "grid",
    "class_names",
}
