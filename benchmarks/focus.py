"""The order of focus that `focus_score` finds in simulated focal series.

``python -m benchmarks.focus`` prints the share of the pairs of images of one series of which the one nearer to focus
has the higher score, and what the scores rest on. The series are

- HRTEM: particles on amorphous films (abTEM multislice, fields that no network was trained on; ``--cache``), on both
  sides of focus, which is the middle of the specimen; another dose, camera, astigmatism and spherical aberration each;
- HAADF, blurred: particles on a film (abTEM PRISM), with Gaussian blurs of the probe from one half to eight times its
  own, and shot noise afterwards;
- HAADF, defocused: the atoms of the same particles imaged by the probe of an aperture of 22 mrad out of focus.

Of HAADF images it prints beside how many pairs `field_contrast` puts in order, which compares images of one field and
scores none alone. Of the last kind it prints what the images hold: the order of an observer who knows the atoms and the
probes, and takes the likelier order of the counts of each pair.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

HRTEM_STEPS = (0, 80, 160, 320, 640)  # Å
MIDDLE = 30.0  # Å below the exit plane of the wave: the middle of film and particles
BLURS = (0.9, 1.8, 3.6, 7.2, 14.4)  # full widths at half maximum in Å
PROBE_STEPS = (0, 60, 120, 240, 480)  # Å
KINDS = ("hrtem", "blurred", "defocused")
EDGE, PIXEL = 320, 0.4  # of HAADF images, in pixels and Å


@dataclass(frozen=True)
class Series:
    """Images of one field, with the distance of each from focus in any unit, pixel size in nm and energy in keV."""

    images: list[np.ndarray]
    distance: np.ndarray
    pixel_size: float
    energy: float | None
    means: tuple[np.ndarray, ...] = ()  # expected counts, where they are known


def hrtem_series(cache: Path, index: int, steps: tuple[int, ...] = HRTEM_STEPS) -> Series:
    """Images of an exit wave on both sides of focus."""
    from particlespy_ml.simulation.datasets.exit_waves import load_field
    from particlespy_ml.simulation.recording.optics import Optics, image_intensity

    rng = np.random.default_rng([7, index])
    field = load_field(cache, index)
    edge, energy = field.parameters["edge"], field.parameters["energy"]
    pixel, dose, mtf = np.exp(rng.uniform(*np.log([0.25, 0.6]))), np.exp(rng.uniform(*np.log([5e2, 2e4]))), rng.random()
    lens = Optics(
        energy=energy,
        astigmatism=rng.uniform(0, 20),
        astigmatism_angle=rng.uniform(0, np.pi),
        spherical_aberration=rng.uniform(-1e5, 1e5),
        focal_spread=rng.uniform(20, 50),
        beam_semiangle=rng.uniform(0, 0.3),
    )
    images, distance = [], []
    for step in (*(-step for step in steps[:0:-1]), *steps):
        fine = image_intensity(field.wave, edge, replace(lens, defocus=float(MIDDLE + step)))
        sampling = edge / len(fine)
        ky, kx = np.fft.fftfreq(len(fine), sampling)[:, None], np.fft.rfftfreq(len(fine), sampling)
        camera = (0.1 + 0.5 * mtf) ** (2 * pixel * np.hypot(ky, kx))  # its transfer is 0.1 to 0.6 at Nyquist
        fine = np.fft.irfft2(np.fft.rfft2(fine) * camera, s=fine.shape)
        places = np.arange(int(edge / pixel)) * pixel / sampling
        clean = ndi.map_coordinates(fine, np.meshgrid(places, places, indexing="ij"), order=1, mode="grid-wrap")
        images.append(rng.poisson(np.maximum(clean, 0) * dose * pixel**2).astype(np.float32))
        distance.append(abs(step))
    return Series(images, np.array(distance), pixel / 10, energy / 1e3)


def blurred_series(library: Path, seed: int) -> Series:
    """HAADF images of particles on a film, blurred more and more; noise comes last."""
    from particlespy_ml.simulation.recording.scene import PlacedParticle, compose_haadf

    rng = np.random.default_rng([8, seed])
    entries = _entries(library, rng)
    particles = [
        PlacedParticle(entry["images"].sum(0), entry["parameters"]["scan_step"], centre)
        for entry, centre in zip(entries, _centres(rng), strict=True)
    ]
    dose = np.exp(rng.uniform(*np.log([5e2, 2e4])))
    images = [
        compose_haadf(particles, (EDGE, EDGE), PIXEL, dose=dose, source_size=blur, seed=seed).astype(np.float32)
        for blur in BLURS
    ]
    return Series(images, np.array(BLURS), PIXEL / 10, None)


def defocused_series(library: Path, seed: int) -> Series:
    """HAADF images of the same atoms by a probe out of focus, on a film, with shot noise."""
    rng = np.random.default_rng([9, seed])
    atoms = np.zeros((EDGE, EDGE))
    for entry, centre in zip(_entries(library, rng), _centres(rng), strict=True):
        positions = entry["positions"][:, 1::-1] - entry["positions"][:, 1::-1].mean(0) + centre
        np.add.at(atoms, tuple(np.clip(np.round(positions / PIXEL).astype(int), 0, EDGE - 1).T), 1.0)
    film = ndi.gaussian_filter(rng.normal(size=atoms.shape), 3 / PIXEL, mode="wrap")
    dose = np.exp(rng.uniform(*np.log([5e2, 2e4]))) * PIXEL**2
    images, means, steps = [], [], [*(-step for step in PROBE_STEPS[:0:-1]), *PROBE_STEPS]
    for step in steps:
        mean = 0.06 * np.fft.irfft2(np.fft.rfft2(atoms) * np.fft.rfft2(probe(step)), s=atoms.shape)
        mean = np.maximum(mean + 0.004 * (1 + 0.15 * film / film.std()), 0)
        means.append(mean * dose)
        images.append(rng.poisson(means[-1]).astype(np.float32))
    return Series(images, np.abs(steps), PIXEL / 10, None, tuple(means))


def probe(defocus: float, semiangle: float = 22.0, energy: float = 200e3, source: float = 0.9) -> np.ndarray:
    """Intensity of a probe of an ideal lens, of sum one, its middle at the first pixel; lengths are in Å."""
    from particlespy_ml.simulation.recording.optics import wavelength

    length = wavelength(energy)
    k = np.fft.fftfreq(EDGE, PIXEL)
    k2 = k[:, None] ** 2 + k**2
    wave = np.fft.ifft2((k2 < (semiangle * 1e-3 / length) ** 2) * np.exp(1j * np.pi * length * defocus * k2))
    intensity = ndi.gaussian_filter(np.abs(wave) ** 2, source / 2.3548 / PIXEL, mode="wrap")
    return intensity / intensity.sum()


def _entries(library: Path, rng: np.random.Generator) -> list[dict]:
    from particlespy_ml.simulation.datasets.store import entry_indices, load_entry

    return [load_entry(library, index) for index in rng.choice(entry_indices(library), 4, replace=False)]


def _centres(rng: np.random.Generator) -> np.ndarray:
    """Middles of four particles in Å, one in each quarter."""
    quarters = np.array([[1, 1], [1, 3], [3, 1], [3, 3]]) / 4 * EDGE * PIXEL
    return quarters + rng.uniform(-8, 8, (4, 2))


def ordered_pairs(scores: np.ndarray, distance: np.ndarray) -> tuple[int, int]:
    """Number of pairs in the right order, and of all pairs of differing distance; a score of NaN is in no order."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    nearer = distance[:, None] < distance
    return int((nearer & (scores[:, None] > scores)).sum()), int(nearer.sum())


def likelier_pairs(series: Series) -> tuple[int, int]:
    """Number of pairs in order by the likelihood of their counts, known what to expect, and of all pairs.

    Of two images n and m with expected counts a and b the order is right where n log a + m log b is more, in all, than
    n log b + m log a (J. Neyman and E. S. Pearson, Philos. Trans. R. Soc. A 231, 289 (1933)).
    """
    logs = [np.log(np.maximum(mean, 1e-9)) for mean in series.means]
    right = pairs = 0
    for i, j in np.argwhere(series.distance[:, None] < series.distance):
        evidence = ((series.images[i] - series.images[j]) * (logs[i] - logs[j])).sum(dtype=float)
        right, pairs = right + (evidence > 0), pairs + 1
    return int(right), pairs


def contrast_pairs(series: Series) -> tuple[int, int]:
    """Number of pairs in order by the contrast of the field, and of all pairs."""
    from particlespy_ml.quality.focus import field_contrast
    from particlespy_ml.quality.spectrum import power_spectrum

    spectra = [power_spectrum(image, (series.pixel_size,) * 2) for image in series.images]
    contrasts = [field_contrast(image, spectrum) for image, spectrum in zip(series.images, spectra, strict=True)]
    return ordered_pairs(np.array(contrasts), series.distance)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    from particlespy_ml.quality.focus import focus_score

    parser = argparse.ArgumentParser(prog="python -m benchmarks.focus", description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("cache/hrtem"), help="folder of exit waves")
    parser.add_argument("--library", type=Path, default=Path("cache/isomers/in_range"), help="folder of HAADF images")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--series", type=int, default=16, help="series of each kind")
    parser.add_argument("--show", action="store_true", help="print the scores of each series")
    options = parser.parse_args(arguments)
    kinds = {
        "hrtem": lambda number: hrtem_series(options.cache, 5 * number + 4),
        "blurred": lambda number: blurred_series(options.library, number),
        "defocused": lambda number: defocused_series(options.library, number),
    }
    for name in options.kinds:
        make = kinds[name]
        right, pairs, used = 0, 0, Counter()
        others = {} if name == "hrtem" else {"contrast, of images of one field": contrast_pairs}
        if name == "defocused":
            others["likelihood, atoms and probes known"] = likelier_pairs
        beside = dict.fromkeys(others, 0)
        for number in range(options.series):
            series = make(number)
            found = [focus_score(one, (series.pixel_size,) * 2, energy=series.energy) for one in series.images]
            scores = np.array([one.score for one in found])
            one, of = ordered_pairs(scores, series.distance)
            right, pairs = right + one, pairs + of
            beside = {what: beside[what] + order(series)[0] for what, order in others.items()}
            used.update(one.used or "nothing" for one in found)
            if options.show:
                print(f"  {name} {number}: {one}/{of}", [*zip(series.distance, scores.round(2), strict=True)])
                print("   ", [one.reason for one in found][-len(set(series.distance)) :])
        said = ", ".join(f"{what} {count}" for what, count in used.most_common())
        print(f"{name:10s} {options.series} series: {right / pairs:.3f} of {pairs} pairs in order; {said}", flush=True)
        for what, in_order in beside.items():
            print(f"{'':10s} by {what}: {in_order / pairs:.3f} in order", flush=True)


if __name__ == "__main__":
    main()
