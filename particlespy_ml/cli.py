"""Command line: ``particlespy-ml classify``, ``models``, ``simulate``, ``train`` and ``evaluate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from particlespy_ml import __version__
from particlespy_ml.core.files import replacing
from particlespy_ml.segmentation.particlespy import THRESHOLDS

_EAGER_FORMATS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")  # which HyperSpy cannot load lazily


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 1 where a file could not be done."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    try:
        return options.run(options)
    except (ValueError, TypeError, ImportError, OSError) as error:
        print(f"particlespy-ml: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="particlespy-ml", description="Classify particles, and train models that do.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands")

    classify = commands.add_parser("classify", help="find, measure and classify the particles of image files")
    classify.add_argument("files", nargs="+", type=Path, help="files that HyperSpy reads")
    types = ("HAADF", "HRTEM", "particle_image")
    classify.add_argument("--signal-type", default="HAADF", choices=types, help="default: HAADF")
    classify.add_argument("--model", help="bundled model, or folder of a model; by default that of the signal type")
    classify.add_argument("--pixel-size", type=_positive, metavar="NM", help="pixel size in nm, over the file's own")
    classify.add_argument(
        "--lattice-constant", type=_positive, metavar="NM", help="of the metal, where it is not gold: 0.392 for Pt"
    )
    classify.add_argument("--min-probability", type=float, help="leave less probable classes undefined")
    classify.add_argument(
        "--method",
        choices=("auto", "network", *THRESHOLDS),
        help="segmentation: by default network for HRTEM and auto for others; or a threshold",
    )
    classify.add_argument(
        "--exclude-border",
        action=argparse.BooleanOptionalAction,
        help="leave out particles that the border cuts; by default only of HRTEM images",
    )
    classify.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for tables and pictures")
    classify.set_defaults(run=_classify)

    models = commands.add_parser("models", help="list the bundled models")
    models.set_defaults(run=_models)

    simulate = commands.add_parser("simulate", help="simulate the images that a model is trained on (needs abTEM)")
    simulate.add_argument("recipe", help="recipe by name, such as isomer-haadf, or a file")
    simulate.add_argument("--cache", type=Path, required=True, metavar="DIR", help="folder of the simulations")
    simulate.add_argument("--count", type=int, required=True, help="number of simulations in all; it resumes")
    simulate.add_argument("--workers", type=int, help="processes; by default one for each core")
    simulate.add_argument("--held-out", action="store_true", help="only those held out, for a larger test")
    simulate.set_defaults(run=_simulate)

    train = commands.add_parser("train", help="train a model")
    train.add_argument("recipe", help="recipe by name, such as isomer-haadf, or a file")
    train.add_argument("--cache", type=Path, metavar="DIR", help="folder of the simulations; an atlas needs none")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model")
    train.add_argument("--seed", type=int, help="seed, over the recipe's own")
    train.add_argument("--workers", type=int, default=1, help="processes that make batches (default: 1)")
    train.add_argument("--pretrain-only", action="store_true", help="only the stages that need no PRISM images")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="evaluate a model on the simulations held out; writes its figures")
    evaluate.add_argument("model", help="bundled model, or folder of a model")
    evaluate.add_argument("--cache", type=Path, metavar="DIR", help="folder of the simulations; an atlas needs none")
    evaluate.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for tables and figures")
    evaluate.set_defaults(run=_evaluate)
    return parser


def _classify(options) -> int:
    import pandas as pd
    from tqdm.auto import tqdm

    from particlespy_ml.models.load import DEFAULT_MODELS, load_model

    name = options.model or DEFAULT_MODELS.get(options.signal_type)
    model = load_model(name) if name else None
    if model is None:
        print(f"There is no model for {options.signal_type} images: particles are measured, not classified.")
    options.out.mkdir(parents=True, exist_ok=True)
    frames, failures = [], []
    # "particles.csv" is the table of all files, and results must not replace the files they come from
    taken = {"particles", *(path.stem for path in options.files if path.resolve().parent == options.out.resolve())}
    for path in tqdm(options.files, desc="Classifying", unit="file"):
        try:
            images = _load_images(path, options)
        except Exception as error:  # one bad file, or image, must not cost the others; it is reported below
            failures.append((path, f"{type(error).__name__}: {error}"))
            continue
        for name, image in images:
            try:
                frames.append(_classify_one(path, _free_name(name, taken), image, model, options))
            except Exception as error:
                which = "" if len(images) == 1 else f"{name}: "
                failures.append((path, f"{which}{type(error).__name__}: {error}"))
    if frames:
        with replacing(options.out / "particles.csv") as part:
            pd.concat(frames, ignore_index=True).to_csv(part, index=False)
    total = sum(len(frame) for frame in frames)
    print(f"{total} particles in {len(frames)} images; results in {options.out}")
    for path, reason in failures:
        print(f"could not be done: {path}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _load_images(path: Path, options) -> list[tuple]:
    """Images of a file with a name for each; a file may hold several."""
    import hyperspy.api as hs

    if not path.exists():
        raise FileNotFoundError("there is no such file")
    loaded = hs.load(path, lazy=path.suffix.lower() not in _EAGER_FORMATS)
    signals = loaded if isinstance(loaded, list) else [loaded]
    images = [signal for signal in signals if signal.axes_manager.signal_dimension == 2]
    if not images:
        raise ValueError("the file holds no image")
    for image in images:
        if options.pixel_size is not None:
            image.axes_manager.signal_axes.set(scale=options.pixel_size, units="nm")
        image.set_signal_type(options.signal_type)
    return [(path.stem if len(images) == 1 else f"{path.stem}-{i}", image) for i, image in enumerate(images)]


def _positive(text: str) -> float:
    """A number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above zero, not {text}")
    return value


def _free_name(name: str, taken: set[str]) -> str:
    """A name that no other file of this run has."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    taken.add(free)
    return free


def _classify_one(path: Path, name: str, image, model, options):
    import matplotlib.pyplot as plt

    settings = {
        "method": options.method,
        "exclude_border": options.exclude_border,
        "lazy_output": False,
        "show_progressbar": image.axes_manager.navigation_size > 1,
    }
    if model is None:
        table = image.measure_particles(**{**settings, "exclude_border": bool(options.exclude_border)})
    else:
        table = image.classify_particles(
            model,
            min_probability=options.min_probability,
            lattice_constant=None if options.lattice_constant is None else f"{options.lattice_constant} nm",
            **settings,
        )
    frame = table.to_dataframe()
    frame.insert(0, "file", str(path))
    index = (0,) * image.axes_manager.navigation_dimension
    figure = table.plot_overlay(image, index).figure
    try:
        figure.canvas.draw()  # before anything is written
        table.save(options.out / f"{name}.hspy", overwrite=True)
        with replacing(options.out / f"{name}.csv") as part:
            frame.to_csv(part, index=False)
        figure.savefig(options.out / f"{name}.png", dpi=150)
    finally:
        plt.close(figure)
    return frame


def _models(options) -> int:
    from particlespy_ml.models.load import list_models, load_model

    for name in list_models():
        model = load_model(name)
        low, high = model.card["diameter_range_nm"]
        print(f"{name}: {model.card['signal_type']}, {model.purpose}; {low:g} to {high:g} nm")
    return 0


def _simulate(options) -> int:
    from particlespy_ml.training.tasks import simulate

    simulate(options.recipe, options.cache, options.count, options.workers, held_out_only=options.held_out)
    return 0


def _train(options) -> int:
    from particlespy_ml.training.tasks import train

    train(
        options.recipe,
        options.cache,
        options.out,
        seed=options.seed,
        workers=options.workers,
        pretrain_only=options.pretrain_only,
    )
    return 0


def _evaluate(options) -> int:
    from particlespy_ml.training.tasks import evaluate, report

    results = evaluate(options.model, options.cache, options.out)
    print(report(options.model, results))
    print(f"figures and all numbers in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
