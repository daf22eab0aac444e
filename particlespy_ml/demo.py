"""The main jobs on two images and a movie: ``python -m particlespy_ml.demo --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from particlespy_ml import data


def main(arguments: list[str] | None = None) -> None:
    """Classify the particles of two images and of a movie; print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for tables and pictures")
    out = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    classify(data.measured_gold(lazy=True), out, "measured_gold")
    hrtem = classify(data.gold_hrtem(lazy=True), out, "gold_hrtem")
    print(hrtem.summary().round(2).to_string())
    print(beside_truth_of_image(hrtem, data.gold_hrtem().metadata.Simulation), "\n")
    movie = data.isomer_movie(lazy=True)
    table = classify(movie, out, "isomer_movie").track_particles()
    _save(table.plot_class_fractions(), out / "isomer_movie_fractions.png")
    tracks = table.to_dataframe().groupby("track")["class"].value_counts().unstack(fill_value=0)
    print("Frames of each track in each class:")
    print(tracks.loc[:, tracks.sum() > 0].to_string())
    print(beside_truth_of_movie(table, movie.metadata.Simulation), "\n")
    print(f"CSV, .hspy and PNG are in {out}/")


def classify(image, out: Path, name: str):
    """Classify a lazily loaded image, print its table and write CSV, .hspy and PNG."""
    print(image)
    table = image.classify_particles(lazy_output=False)
    frame = table.to_dataframe()
    shown = ["frame", "x", "y", "equivalent_circular_diameter", "touches_border", "class", "probability"]
    print(frame[shown].head(12).round(2).to_string(index=False), "\n")
    table.to_csv(out / f"{name}.csv")
    table.save(out / f"{name}.hspy", overwrite=True)
    _save(table.plot_overlay(image, (0,) * image.axes_manager.navigation_dimension), out / f"{name}.png")
    return table


def beside_truth_of_image(table, simulated) -> str:
    """How many particles were found of those that were simulated, and how many classes are right."""
    drawn = np.column_stack([simulated.x_nm, simulated.y_nm])
    found = np.column_stack([table["x"], table["y"]])
    apart = np.hypot(*(found[:, None] - drawn).transpose(2, 0, 1))
    nearest = apart.argmin(1)
    same = apart.min(1) < table["equivalent_circular_diameter"] / 2
    named = same & (table["class"] != "undefined")
    right = table["class"][named] == np.array(simulated.classes)[nearest[named]]
    return (
        f"Simulated: {len(drawn)} particles, those at the border included; {len(set(nearest[same]))} of them were "
        f"found, {named.sum()} of these have a class, and {right.sum()} the right one."
    )


def beside_truth_of_movie(table, simulated) -> str:
    """How many classes of the movie are right."""
    right = known = 0
    for number, rows in enumerate(table.data):
        names = table.class_names(rows["class_index"])
        for name, x in zip(names, rows["x"], strict=True):
            truth = (simulated.upper_left if x < rows["x"].mean() else simulated.lower_right)[number]
            known += name != "undefined"
            right += name == truth
    return f"Simulated: two particles in {table.data.size} frames; {right} of {known} classes are right."


def _save(ax, path: Path) -> None:
    ax.figure.savefig(path, dpi=150)
    plt.close(ax.figure)


if __name__ == "__main__":
    main()
