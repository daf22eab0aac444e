"""The main jobs on two images and a movie: ``python -m particlespy_ml.demo --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

from particlespy_ml import data


def main(arguments: list[str] | None = None) -> None:
    """Classify the particles of two images and of a movie; print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for tables and pictures")
    out = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    classify(data.measured_gold(lazy=True), out, "measured_gold")
    hrtem = classify(data.gold_hrtem(lazy=True), out, "gold_hrtem")
    print(hrtem.summary().round(2).to_string(), "\n")
    movie = data.isomer_movie(lazy=True)
    table = classify(movie, out, "isomer_movie").track_particles()
    _save(table.plot_class_fractions(), out / "isomer_movie_fractions.png")
    tracks = table.to_dataframe().groupby("track")["class"].value_counts().unstack(fill_value=0)
    print("Frames of each track in each class:")
    print(tracks.loc[:, tracks.sum() > 0].to_string(), "\n")
    print(f"CSV, .hspy and PNG are in {out}/")


def classify(image, out: Path, name: str):
    """Classify a lazily loaded image, print its table and write CSV, .hspy and PNG."""
    print(image)
    table = image.classify_particles(lazy_output=False)
    frame = table.to_dataframe()
    shown = ["frame", "x", "y", "equivalent_circular_diameter", "touches_border", "class", "probability"]
    print(frame[shown].head(12).round(2).to_string(index=False), "\n")
    frame.to_csv(out / f"{name}.csv", index=False)
    table.save(out / f"{name}.hspy", overwrite=True)
    _save(table.plot_overlay(image, (0,) * image.axes_manager.navigation_dimension), out / f"{name}.png")
    return table


def _save(ax, path: Path) -> None:
    ax.figure.savefig(path, dpi=150)
    plt.close(ax.figure)


if __name__ == "__main__":
    main()
