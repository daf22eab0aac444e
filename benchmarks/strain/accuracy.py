"""How far strain from images of gold particles is from that of their atoms, over defocus, tilt and dose.

Truncated octahedra of 2, 4 and 6 nm along <110> move at 300 K by effective medium theory. Their images are means over
snapshots, the truth is the strain of the mean places of their columns. All that takes long is kept in a folder.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from benchmarks.strain.particles import Particle, particle
from particlespy_ml.columns.fit.profiles import ColumnProfiles
from particlespy_ml.columns.refine_places import refine_places
from particlespy_ml.quality.noise import Noise
from particlespy_ml.simulation.atoms.structures import amorphous
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.thermal import haadf_image, hrtem_images
from particlespy_ml.simulation.strain_bias import compare_strain, mean_places, read_places
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope
from particlespy_ml.simulation.waves.single_columns import column_exit_waves, haadf_profiles, through_lens
from particlespy_ml.strain import measure_strain

DEFOCI = (4.5, 6.5, 8.5, 12.5)  # nm
BEST = 8.5
TILTS = (0.0, 1.0, 2.0, 3.0)  # degrees
DOSES = (1e2, 1e3, 1e4, 1e5)  # electrons per Å²
LENS = Optics(energy=300e3, spherical_aberration=-1e5, focal_spread=29.0)
PROBE, SOURCE = HAADFMicroscope(energy=300e3, semiangle=22.0), 0.8  # Å, full width at half maximum
PIXEL = 0.2  # Å
SPACING = 2.885  # Å between the atoms of a column
THERMAL = 0.08  # Å; of single columns
OFF = 0.15  # Å, of where fits start
CRYSTAL = ("fcc", "<110>")
REGIONS = ("inside", "{111}", "{100}", "corner")
METHODS = ("Gaussians", "profiles", "profiles, one height", "profiles, 1 nm off")  # one height for all; of the focus


class Study:
    """Images and profiles of one size of particle, made once.

    Parameters
    ----------
    folder
        Where they are kept.
    size
        Of the particle in nm.
    snapshots
        How many are averaged; by default all that `particle` takes.
    """

    def __init__(self, folder: str | Path, size: int, snapshots: int | None = None):
        self.folder, self.size = Path(folder), size
        self.particle = particle(folder, size, snapshots)
        self.count = len(self.particle.snapshots)
        self.symbols = ["Au"] * len(self.particle.column)
        self.heights = self.particle.heights

    def truth(self, tilt: float = 0.0, snapshots: int | None = None) -> np.ndarray:
        """Mean places (x, y) of the columns in Å."""
        return mean_places(self._at(tilt).snapshots[:snapshots], self.particle.column)[1]

    def images(self, tilt: float = 0.0) -> np.ndarray:
        """HRTEM images, one for each of `DEFOCI`."""
        lenses = [lens(defocus) for defocus in DEFOCI]
        return self._kept(
            f"hrtem-{tilt:g}-{self.count}", lambda: hrtem_images(self.symbols, self._at(tilt).snapshots, lenses, PIXEL)
        )

    def haadf(self, snapshots: int) -> np.ndarray:
        """HAADF image of the first snapshots."""
        chosen = self.particle.snapshots[:snapshots]
        return self._kept(
            f"haadf-{snapshots}", lambda: haadf_image(self.symbols, chosen, PROBE, PIXEL, source_size=SOURCE)
        )

    def profiles(self, defocus: float) -> ColumnProfiles:
        """Profiles of single columns in the HRTEM image of a defocus."""
        thickness = float(np.ptp(self.particle.snapshots.mean(0)[:, 2]))
        settings = {"thickness": thickness, "thermal_rms": THERMAL, "configurations": 8}
        waves = self._kept("waves", lambda: column_exit_waves("Au", SPACING, self.heights, **settings))
        return through_lens(waves, lens(defocus))

    def haadf_profiles(self) -> ColumnProfiles:
        """Profiles of single columns in the HAADF image."""
        settings = {"source_size": SOURCE, "thermal_rms": THERMAL, "configurations": 2, "scan_step": PIXEL}
        return self._kept("haadf-profiles", lambda: haadf_profiles("Au", SPACING, self.heights, PROBE, **settings))

    def _at(self, tilt: float) -> Particle:
        return self.particle.tilted(tilt) if tilt else self.particle

    def _kept(self, name: str, make):
        path = self.folder / f"gold-{self.size}nm-{name}.pkl"
        if not path.exists():
            path.write_bytes(pickle.dumps(make()))
        return pickle.loads(path.read_bytes())  # noqa: S301 - written here


def lens(defocus: float) -> Optics:
    """The lens at a defocus in nm, positive where columns of gold are bright."""
    return replace(LENS, defocus=-10 * defocus)


def noisy(image: np.ndarray, dose: float, seed: int) -> np.ndarray:
    """An image in units of the beam with shot noise."""
    per_pixel = dose * PIXEL**2
    return np.random.default_rng(seed).poisson(np.maximum(image, 0) * per_pixel) / per_pixel


def errors(study: Study, truth, image, profiles, method: str, dose: float | None = None, seed: int = 0):
    """Table of the columns of one image, see `compare_strain`."""
    noise = None
    if dose is not None:
        image, noise = noisy(image, dose, seed), Noise.of_dose(dose * PIXEL**2)
    heights = study.heights
    if method == "profiles, one height":
        heights = np.full(len(heights), int(np.median(heights)))
    chosen = None if method == "Gaussians" else profiles
    read = read_places(image, truth, heights, PIXEL, chosen, noise, off=OFF, seed=seed)
    return compare_strain(truth, read, *CRYSTAL)


def told(tables) -> str:
    """Mean size and rms of the planar error in per cent, by region, and how many columns have none."""
    import pandas as pd

    table = pd.concat(tables)
    parts = []
    for region in REGIONS:
        off = 100 * table["planar_bias"][table["facet"] == region].dropna()
        parts.append(f"{off.abs().mean():6.2f} ({np.sqrt((off**2).mean()):5.2f})" if len(off) else f"{'':14}")
    return "  ".join(parts) + f"  {table['planar_bias'].isna().mean():7.3f}"


def head(text: str) -> None:
    """Print what a table shows, and its columns."""
    print(text)
    print(f"  {'':34}" + "  ".join(f"{region:>14}" for region in REGIONS) + "  no strain", flush=True)


def print_defoci(study: Study) -> None:
    """Without noise, by defocus and method."""
    edge = 2 * np.linalg.norm(study.truth(), axis=1).max() / 10
    head(
        f"Au, {study.size} nm ({len(study.symbols)} atoms, {len(study.heights)} columns of up to "
        f"{study.heights.max()}, {edge:.1f} nm across), {study.count} snapshots, no noise: mean size (rms) of the "
        "planar error, %"
    )
    for defocus, image in zip(DEFOCI, study.images(), strict=True):
        for method in METHODS:
            profiles = study.profiles(defocus - method.endswith("1 nm off"))
            table = errors(study, study.truth(), image, profiles, method)
            print(f"  df {defocus:4.1f} nm, {method:23}{told([table])}", flush=True)


def print_tilts(study: Study, tilts=TILTS) -> None:
    """Without noise, by tilt; profiles are those of columns that are not tilted."""
    head(f"Au, {study.size} nm, df {BEST} nm, no noise, by tilt")
    for tilt in tilts:
        image = study.images(tilt)[DEFOCI.index(BEST)]
        for method in METHODS[:2]:
            table = errors(study, study.truth(tilt), image, study.profiles(BEST), method)
            print(f"  {tilt:3.0f} degrees, {method:21}{told([table])}", flush=True)


def print_doses(study: Study, draws: int, doses=DOSES) -> None:
    """With shot noise, and the bound of the error from noise alone."""
    head(f"Au, {study.size} nm, df {BEST} nm, by dose in electrons per Å², {draws} draws")
    image, truth, profiles = study.images()[DEFOCI.index(BEST)], study.truth(), study.profiles(BEST)
    for dose in doses:
        for method in METHODS[:2]:
            tables = [errors(study, truth, image, profiles, method, dose, seed) for seed in range(draws)]
            print(f"  {dose:7.0e}, {method:25}{told(tables)}", flush=True)
        bound, places = planar_bound(study, image, truth, profiles, dose)
        print(f"  {dose:7.0e}, {'Cramér-Rao bound':25}{told([bound])}  places {places:.1f} pm", flush=True)


def planar_bound(study: Study, image, truth, profiles, dose: float):
    """A table as of `errors` whose planar error is normal with the bound's deviation, and that of places in pm.

    The bound is that of places and complex amplitudes of all columns together, in the wave of single columns.
    """
    middle = (np.array(image.shape) - 1) / 2
    noise = Noise.of_dose(dose * PIXEL**2)
    fit = refine_places(image, truth[:, ::-1] / PIXEL + middle, study.heights, profiles, PIXEL, noise=noise)
    spread = measure_strain(truth, CRYSTAL, errors=fit.position_errors[:, ::-1] * PIXEL)["planar_error"].to_numpy()
    table = compare_strain(truth, truth, *CRYSTAL)
    # the quantiles of a normal distribution, so that means over a region are those of the bound
    quantiles = np.array([-1.5341, -0.8871, -0.4888, -0.1571, 0.1571, 0.4888, 0.8871, 1.5341])
    scale = np.sqrt((quantiles**2).mean())
    tables = [table.assign(planar_bias=spread * quantile / scale) for quantile in quantiles]
    import pandas as pd

    return pd.concat(tables), float(100 * np.sqrt((fit.position_errors**2).mean()) * PIXEL)


def print_haadf(study: Study, snapshots: int, draws: int, doses=(None, 1e3, 1e4)) -> None:
    """HAADF columns, without noise and with the shot noise of doses."""
    head(
        f"Au, {study.size} nm, HAADF, {PROBE.semiangle:g} mrad, source {SOURCE} Å, {snapshots} snapshots, by dose in "
        f"electrons per Å², {draws} draws"
    )
    image, truth = study.haadf(snapshots), study.truth(snapshots=snapshots)
    for dose in doses:
        for method in METHODS[:2]:
            seeds = range(draws if dose else 1)
            tables = [errors(study, truth, image, study.haadf_profiles(), method, dose, seed) for seed in seeds]
            print(f"  {'no noise' if dose is None else f'{dose:8.0e}'}, {method:24}{told(tables)}", flush=True)


def print_amorphous(count: int = 200) -> None:
    """What is made of a glassy particle."""
    atoms = amorphous(count, "Au", np.random.default_rng(1))
    image = hrtem_images(atoms.get_chemical_symbols(), atoms.positions[None], [lens(BEST)], PIXEL)[0]
    smooth = ndi.gaussian_filter(image, 0.4 / PIXEL)
    bright = (smooth == ndi.maximum_filter(smooth, round(1.4 / PIXEL))) & (smooth > np.quantile(smooth, 0.8))
    places = np.argwhere(bright)[:, ::-1] * PIXEL
    for wanted in (CRYSTAL, "auto"):
        found = measure_strain(places, wanted)
        share = (found["template"] != "undefined").mean()
        name = "auto" if wanted == "auto" else "".join(wanted)
        print(f"Glassy particle of {count} atoms, {len(places)} maxima, template {name}: {share:.3f} have a strain")


def print_accuracy(
    folder: str | Path, sizes=(2, 4, 6), snapshots: int | None = None, draws: int = 4, of_haadf: int = 16
) -> None:
    """Print all tables.

    Parameters
    ----------
    folder
        Where molecular dynamics, images and profiles are kept.
    sizes
        Of particles in nm; HAADF images are of the smallest, if it has 4 nm or less.
    snapshots
        Of each particle, at most; by default 40 of 2 and 4 nm, 16 of 6 nm.
    draws
        Of the shot noise.
    of_haadf
        Snapshots of HAADF images.
    """
    for size in sizes:
        study = Study(folder, size, snapshots)
        print_defoci(study)
        print_tilts(study)
        print_doses(study, draws)
    if min(sizes) <= 4:
        print_haadf(Study(folder, min(sizes), snapshots), of_haadf, draws)
    print_amorphous()
