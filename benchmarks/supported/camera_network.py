"""Whether it helps a network that finds columns to be trained with the camera whose images it will see."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks.columns_hrtem import images
from benchmarks.columns_hrtem.scores import by_network, interval, outcomes
from particlespy_ml.quality.mtf import MTF, NAMES
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import film_indices, simulate_column_waves
from particlespy_ml.simulation.datasets.store import entry_indices
from particlespy_ml.simulation.recording.camera import Camera
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe
from particlespy_ml.training.columns.batches import CANONICAL, ColumnMaker
from particlespy_ml.training.columns.evaluate import THRESHOLD, column_architecture, mapper, score_columns
from particlespy_ml.training.loop import checkpoint_path, fit
from particlespy_ml.training.losses import ColumnLoss

DOSES = (1e2, 3e2, 1e3)
_THRESHOLDS = (0.3, 0.5, 0.6, THRESHOLD, 0.8, 0.9, 0.95, 0.98)
_HEIGHTS = 12
WAVES = ColumnWaveRecipe(
    symbols=("Au",),
    zone_axes=("<110>", "<001>"),
    widths=(12.0, 36.0),
    thicknesses=(6.0, 34.0),
    tilt=2.5,
    energies=(300e3,),
    films=("C",),
    film_count=30,
    seed=2071,
)
MICROSCOPE = ColumnImagingRecipe(
    dose=(1e2, 1e4),
    pixel_size=(0.13, 0.28),
    defocus=((1.0, -130.0, -40.0),),
    spherical_aberration=(-2e5, -2e4),
    astigmatism=15.0,
    coma=150.0,
    threefold=150.0,
    focal_spread=(20.0, 40.0),
    beam_semiangle=0.2,
    deflection=(0.05, 0.3),
    drift=0.2,
    gamma=(0.0, 1.0),
)


def detectors(folder: Path, estimate: MTF) -> dict[str, ColumnImagingRecipe]:
    """What networks are trained with: an estimated camera; white noise in images that it blurred as much; and none."""
    Camera.from_mtf(estimate).save(folder / "estimated.toml")
    blurred = {f"mtf_{name}": (getattr(estimate, name),) * 2 for name in NAMES}
    return {
        "estimated camera": replace(MICROSCOPE, camera=str(folder / "estimated.toml")),
        "white noise": replace(MICROSCOPE, mtf=(0.0, 1.0, 0.0), **blurred),
        "no camera": replace(MICROSCOPE, mtf=(0.0, 0.0, 1.0)),
    }


def trained(folder: Path, name: str, detector: ColumnImagingRecipe, fields: int, steps: int, seed: int):
    """Return a network that was trained with a microscope and a camera; it goes on where it stopped."""
    model = {
        "name": name.replace(" ", "-"),
        "signal_type": "HRTEM",
        "task": "map_columns",
        "columns": [{"kind": "metal", "heights": _HEIGHTS}],
        "architecture": {"name": "unet", "widths": [32, 64, 96, 128], "fold": 2},
    }
    training = {
        "seed": seed,
        "batch": 16,
        "weight_decay": 0.02,
        "ema": 0.995,
        "precision": "bfloat16",
        "stages": [
            {"steps": steps // 8, "learning_rate": 2e-3, "final_rate": 1.0, "detector": {"dose": [1e3, 1e5]}},
            {"steps": steps - steps // 8 - steps // 6, "learning_rate": 2e-3, "final_rate": 0.05},
            {"steps": steps // 6, "learning_rate": 3e-4, "frozen_norm": True},
        ],
    }
    chosen = tuple(index for index in entry_indices(folder) if index < fields and not WAVES.is_held_out(index))
    films = tuple(film_indices(folder, WAVES, held_out=False))
    architecture = column_architecture(model, detector)
    told = asdict(detector) | {"camera": Path(detector.camera).read_text("utf-8") if detector.camera else ""}
    network = fit(
        ColumnMaker(str(folder), chosen, films, detector, (_HEIGHTS,)),
        architecture,
        training,
        checkpoint_path(folder, model["name"], "camera", training, told, list(chosen)),
        loss=ColumnLoss(_HEIGHTS, output_weight=0.2),
        workers=1,
        show_progressbar=False,
    )
    card = {
        **model,
        "architecture": architecture,
        "pixel_size": {"value": CANONICAL, "unit": "Å"},
        "threshold": THRESHOLD,
        "error_scale": 1.0,
    }
    return mapper(network, card)


def print_network(
    folder: Path, camera: Camera, estimate: MTF, fields: int, structures: int, steps: int, seeds: int
) -> None:
    """F1 of these networks on images that the true camera took, at their threshold and at the best with the truth."""
    library = folder / "camera-gold"
    simulate_column_waves(library, fields, WAVES, workers=None)
    camera.save(library / "true.toml")
    seen = replace(images.MICROSCOPE, camera=str(library / "true.toml"))
    gold = images.fields(folder, "gold", images.GOLD, structures)
    frames = {dose: images.recordings(gold, structures, dose, seen) for dose in DOSES}
    print(
        f"Networks trained for {steps} steps with the estimated camera, white noise or no camera, on {structures} "
        f"structures that none was trained on, recorded by the true camera; estimated {estimate.transfer(0.2):.3f}, "
        f"{estimate.transfer(0.5):.3f} at .2 and .5 of Nyquist, true {camera.transfer(0.1):.3f}, "
        f"{camera.transfer(0.25):.3f}"
    )
    for seed in range(1, seeds + 1):
        models = {
            name: trained(library, name, detector, fields, steps, seed)
            for name, detector in detectors(library, estimate).items()
        }
        for dose, recordings in frames.items():
            found = {}
            for name, model in models.items():
                results = {one: outcomes(recordings, by_network(model, one)) for one in _THRESHOLDS}
                scores = {one: score_columns(result) for one, result in results.items()}
                best = max(scores, key=lambda one: scores[one]["f1"]["value"])
                found[name] = results[THRESHOLD], results[best]
                usual = scores[THRESHOLD]
                print(
                    f"  seed {seed}, {dose:5g} e/Å², {name:16}: F1 {interval(usual['f1'])}, recall "
                    f"{usual['recall']['value']:.3f}, precision {usual['precision']['value']:.3f}; at its best "
                    f"threshold, {best:g}, F1 {scores[best]['f1']['value']:.3f}"
                )
            ours, *others = found
            for other in others:
                better = [_gain(found[ours][k], found[other][k]) for k in (0, 1)]
                print(f"  {'':8}gain over {other} {better[0]}; each at its best threshold {better[1]}", flush=True)


def _gain(ours: list, others: list) -> str:
    """Difference of the F1 of two networks on the same images, with its interval of 95 % over structures."""
    tables = [np.array([[one.found, one.wrong, len(one.missed)] for one in group], float) for group in (ours, others)]

    def difference(rows: np.ndarray) -> float:
        sums = [table[rows].sum(0) for table in tables]
        scores = [2 * found / max(2 * found + wrong + missed, 1) for found, wrong, missed in sums]
        return scores[0] - scores[1]

    rng, n = np.random.default_rng(0), len(ours)
    low, high = np.quantile([difference(rng.integers(n, size=n)) for _ in range(1000)], [0.025, 0.975])
    return f"{difference(np.arange(n)):.3f} ({low:.3f} to {high:.3f})"
