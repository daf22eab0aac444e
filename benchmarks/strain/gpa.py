"""Geometric phase analysis beside that of kemstem, with the same masks in Fourier space.

``python -m benchmarks.strain.gpa`` prints errors on fields that are known: rms over the columns, without and with noise
of the variance 0.05 where columns have a height of one. kemstem is taken where it is installed.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.ndimage import map_coordinates

from benchmarks.strain import fields
from particlespy_ml.strain import equal_width, left_polar
from particlespy_ml.strain.phase_maps import MAPS, PhaseSettings, Reflections, find_lattice, phase_maps

EIGHT = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
WIDTHS = (round(equal_width(EIGHT, np.eye(2)), 2), 1.0, 1.5, 2.0)
NAMES = ("exx", "eyy", "exy", "rotation")
PERFECT = np.eye(2) / fields.SPACING  # reciprocal vectors of the lattice without strain


def by_phases(image: np.ndarray, width: float, column: float = 0.0) -> dict[str, np.ndarray]:
    """Maps of strain and rotation (degrees), from the lattice without strain."""
    settings = PhaseSettings((1.0, 1.0), width, 0.0, None, column)
    return dict(zip(MAPS, phase_maps(image, settings, Reflections(PERFECT, PERFECT)), strict=True))


def by_columns(image: np.ndarray, width: float) -> dict[str, np.ndarray]:
    """The same with the width of the columns known."""
    return by_phases(image, width, fields.COLUMN * fields.SPACING)


def by_kemstem(image: np.ndarray, width: float) -> dict[str, np.ndarray]:
    """The same by kemstem, whose mask is as wide and at the same place."""
    from kemstem.fourier.fourierfilter import fourier_filter
    from kemstem.fourier.phaselock import gpa
    from kemstem.fourier.strain import calculate_strain_tensor

    size = len(image)
    sigma = size / (2 * np.pi * width * fields.SPACING)
    pattern = np.fft.fftshift(np.fft.fft2(image - image.mean()))
    peaks = [(size / 2 + g[1] * size, size / 2 + g[0] * size) for g in PERFECT]
    phases = [gpa(fourier_filter(pattern, p, sigma)[0], p) for p in peaks]
    exx, eyy, exy, turned = calculate_strain_tensor(*phases, *peaks)
    # its rotation is half of du/dy - dv/dx, the angle from y towards x
    return {"exx": exx, "eyy": eyy, "exy": exy, "rotation": -np.rad2deg(turned)}


def ways() -> dict:
    """Ways to analyse by name; kemstem where it can be imported."""
    found = {"geometric_phase": by_phases, "with column_width": by_columns}
    try:
        import kemstem.fourier.strain  # noqa: F401
    except ImportError as error:
        print(f"kemstem is left out: {error}")
    else:
        found["kemstem"] = by_kemstem
    return found


def errors(field: fields.Strained, maps: dict, where: np.ndarray) -> dict[str, np.ndarray]:
    """What is measured at some columns less what is true there; rotation in degrees, strain in per cent."""
    strain, rotation = left_polar(np.eye(2) + field.gradient[where])
    true = {"exx": strain[:, 0, 0], "eyy": strain[:, 1, 1], "exy": strain[:, 0, 1], "rotation": np.rad2deg(rotation)}
    at = field.places[where].T[::-1]
    found = {name: map_coordinates(maps[name], at, order=1, cval=np.nan) for name in NAMES}
    return {name: (found[name] - true[name]) * (1 if name == "rotation" else 100) for name in NAMES}


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def inside(field: fields.Strained, width: float) -> np.ndarray:
    """Columns that are three widths or more from the border of the frame, where both ways see the whole average."""
    margin = 3 * width * fields.SPACING + 2
    return np.all((field.places > margin) & (field.places < len(field.image) - 1 - margin), axis=1)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    """The image with white noise."""
    return image + np.random.default_rng(seed).normal(0, np.sqrt(fields.NOISE), image.shape)


def print_analytic(known: dict, size: int, seeds: int) -> None:
    """Errors on the analytic field."""
    field = fields.analytic(size)
    print(f"analytic field, {size} x {size} pixels, exx up to {fields.STRENGTH:.0%}: rms error, per cent and degrees")
    for width in WIDTHS:
        where = inside(field, width)
        for name, way in known.items():
            clean = errors(field, way(field.image, width), where)
            noise = [errors(field, way(noisy(field.image, seed), width), where) for seed in range(seeds)]
            texts = [f"{key} {rms(clean[key]):.3f} {rms([e[key] for e in noise]):.3f}" for key in NAMES]
            print(f"  width {width:4.2f} {name:16} (clean, noisy)  {'  '.join(texts)}")


def print_step(known: dict, seeds: int) -> None:
    """Errors of exx at a step in a crystal, near to it and far from it."""
    field = fields.step()
    print(f"step of {fields.STEP:.0%}: rms error of exx, per cent, within three columns of it and farther away")
    for width in WIDTHS:
        where = inside(field, width)
        near = np.abs(field.places[where, 0] - len(field.image) // 2) < 3.5 * fields.SPACING
        for name, way in known.items():
            clean = errors(field, way(field.image, width), where)["exx"]
            noise = np.array([errors(field, way(noisy(field.image, s), width), where)["exx"] for s in range(seeds)])
            print(
                f"  width {width:4.2f} {name:16} near {rms(clean[near]):.3f}, with noise {rms(noise[:, near]):.3f}"
                f"  far {rms(clean[~near]):.3f}, with noise {rms(noise[:, ~near]):.3f}"
            )


def print_surface(known: dict, seeds: int) -> None:
    """Errors of exx by layer, from the surface inwards."""
    print(f"three layers at a surface, {fields.STEP:.0%} apart: mean error of exx, per cent, outermost layer first")
    field = fields.surface()
    layers = np.unique(field.places[:, 0].round(6))[::-1][:3]
    for width in WIDTHS:
        for name, way in known.items():
            maps = way(field.image, width)
            noise = [way(noisy(field.image, seed), width) for seed in range(seeds)]
            texts = []
            for at in layers:
                where = inside(field, width) & (np.abs(field.places[:, 0] - at) < 0.01)
                mean = float(np.mean(errors(field, maps, where)["exx"]))
                with_noise = np.array([errors(field, m, where)["exx"] for m in noise])
                seen = np.isfinite(with_noise)
                texts.append(f"{mean:+.3f} (rms with noise {rms(with_noise[seen]):.2f} of {seen.mean():.0%})")
            print(f"  width {width:4.2f} {name:16} {', '.join(texts)}")


def print_errors(draws: int) -> None:
    """Scatter of repeated images over the error that each map gives, in a crystal and by layer at a surface."""
    field = fields.surface(160)
    layers = np.unique(field.places[:, 0].round(6))[::-1][:3]
    sd = 0.1
    print(f"{draws} images with noise of {sd}: standard deviation over the error given, exx, by layer and inside")
    for told, column in (("geometric_phase", 0.0), ("with column_width", fields.COLUMN * fields.SPACING)):
        settings = PhaseSettings((1.0, 1.0), 1.0, 0.1, None, column)
        rng = np.random.default_rng(0)
        maps = np.stack(
            [
                phase_maps(field.image + rng.normal(0, sd, field.image.shape), settings, Reflections(PERFECT, PERFECT))
                for _ in range(draws)
            ]
        )
        found, given = maps[:, MAPS.index("exx")], maps[:, MAPS.index("exx error")]
        ratios = np.std(found, 0, ddof=1) / given.mean(0)
        columns = [round(at) for at in layers]
        texts = [f"{rms(ratios[40:-40, at]):.2f}" for at in columns]
        print(f"  {told:18} {', '.join(texts)}; inside {rms(ratios[40:-40, 40:80]):.2f}")


def print_frames() -> None:
    """Two grains in a frame, and a frame with padding."""
    size, edge, sd = 192, 110, 0.05
    rng = np.random.default_rng(0)
    sites = fields.lattice_sites(size)
    settings = PhaseSettings((1.0, 1.0), 1.0, 0.25, None)
    print("two grains, the other turned: NaN of the other, of the grain (but two widths), its largest strain, per cent")
    for degrees in (9.0, 13.0, 20.0, 45.0):
        t = np.radians(degrees)
        other = sites @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
        images = [fields.columns_image((size, size), at + size // 2, 2.0) for at in (sites, other)]
        first = np.broadcast_to(np.arange(size) < edge, (size, size))
        image = np.where(first, *images) + rng.normal(0, sd, (size, size))
        lattice = find_lattice(image, settings, region=first)
        exx = phase_maps(image, settings, lattice)[0]
        seen = exx[20:-20, 20:-20]
        own = first[20:-20, 20:-20] & (np.arange(20, size - 20) < edge - 20)
        print(
            f"  {degrees:4.0f} degrees: {np.isnan(seen[~first[20:-20, 20:-20]]).mean():.3f}, "
            f"{np.isnan(seen[own]).mean():.3f}, {100 * np.nanmax(np.abs(seen[own])):.2f}"
        )
    image = fields.step(size).image + rng.normal(0, sd, (size, size))
    alone = phase_maps(image, settings, Reflections(PERFECT, PERFECT))[0]
    for value in (0.0, 5.0):
        padded = np.pad(image, ((30, 0), (12, 40)), constant_values=value)
        found = phase_maps(padded, settings, Reflections(PERFECT, PERFECT))[0][30:, 12:-40]
        print(f"padded with {value:g}: largest difference of exx {np.nanmax(np.abs(found - alone)):.1e}")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strain.gpa", description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="pixels of the analytic field")
    parser.add_argument("--seeds", type=int, default=3, help="images with noise of each sort")
    options = parser.parse_args(arguments)
    known = ways()
    print("widths are standard deviations of the blur in lattice vectors; the first averages as eight neighbours do")
    print_analytic(known, options.size, options.seeds)
    print_step(known, options.seeds)
    print_surface(known, options.seeds)
    print_errors(20)
    print_frames()


if __name__ == "__main__":
    main()
