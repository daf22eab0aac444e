"""Zone axes of simulated particles, beside those that ParticleSpy finds."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.counting.particles import share
from particlespy_ml.columns.fit.refine import gaussian_columns
from particlespy_ml.crystals.projection import ZONE_AXES
from particlespy_ml.crystals.zone_axis import find_zone_axis_in
from particlespy_ml.simulation.atoms.structures import closed_shell, remove_surface_atoms


def zone_axis_part(trials: int) -> None:
    """Recall and false positives of zone axes on incoherent images of Au particles of 147 to 923 atoms."""
    families = []
    for axis in ZONE_AXES.values():
        families += [np.array(p) for signs in product((1, -1), repeat=3) for p in permutations(np.array(axis) * signs)]
    families = np.array([f / np.linalg.norm(f) for f in families])

    def image_of(rng, kind, dose):
        size = int(rng.choice([147, 309, 561, 923]))
        atoms = remove_surface_atoms(closed_shell("cuboctahedron", size), 0.08, rng)
        thickness = 2 * (3 * size * 4.08**3 / 16 / np.pi) ** (1 / 3)
        if kind == "":
            # beyond this tilt the planes are smeared over 1.5 periods by the particle's own thickness
            limit = max(8.0, np.degrees(1.5 * 2.35 / thickness))
            while True:
                rotation = Rotation.random(rng=rng)
                beam = rotation.inv().apply([0, 0, 1])
                if np.degrees(np.arccos(np.clip(families @ beam, -1, 1))).min() > limit:
                    break
        else:
            axis = np.array(ZONE_AXES[kind], float)
            to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])
            angle = rng.uniform(0, 2 * np.pi)
            tilt = np.radians(rng.uniform(0, 2)) * np.array([np.cos(angle), np.sin(angle), 0])
            turn = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True)
            rotation = Rotation.from_rotvec(tilt) * turn * to_beam
        positions = rotation.apply(atoms.positions)[:, :2] / 0.2 + 48 + rng.normal(size=2)
        clean = gaussian_columns((96, 96), positions, 0.0125 / 0.04, 0.43 / 0.2, 0.002)
        return rng.poisson(clean * dose * 0.04) if dose else clean

    print("\nZone axes: on axis within 2 degrees; off axis by 8 degrees or 1.5 planes over the thickness, or more")
    for dose, name in ((0.0, "clean"), (1e3, "1e3 e/Å²")):
        rng = np.random.default_rng(47)
        for kind in (*ZONE_AXES, ""):
            images = [image_of(rng, kind, dose) for _ in range(trials)]
            found = [find_zone_axis_in(image, 4.08 / 0.2).zone_axis for image in images]
            theirs = [_particlespy_zone_axis(image) for image in images]
            hits, peer = (sum(f == kind if kind else f != "" for f in all_) for all_ in (found, theirs))
            what = "recall" if kind else "false positives"
            print(
                f"  {name} {kind or 'random'}: {what} {share(hits, trials)}; ParticleSpy {share(peer, trials)}",
                flush=True,
            )


def _particlespy_zone_axis(image) -> str:
    """Zone axis that ParticleSpy finds, empty where it finds none or fails."""
    from particlespy.find_zoneaxis import find_zoneaxis

    try:
        with np.errstate(all="ignore"):
            found = find_zoneaxis(np.asarray(image, float))
    except Exception:  # it has no answer for spectra of few peaks
        return ""
    return f"<{found}>" if found else ""
