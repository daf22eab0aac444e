"""Command line: ``particlespy-ml measure``, ``classify``, ``track``, ``count``, ``watch``, ``models`` and others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from particlespy_ml import __version__
from particlespy_ml.segmentation.particlespy import THRESHOLDS


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 1 where a file could not be done."""
    parser = _parser()
    options = parser.parse_args(arguments)
    options.command_line = " ".join(["particlespy-ml", *(sys.argv[1:] if arguments is None else map(str, arguments))])
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    try:
        return options.run(options)
    except (ValueError, TypeError, ImportError, OSError) as error:
        print(f"particlespy-ml: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="particlespy-ml", description="Measure, classify, follow and count, and train models."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", dest="command")

    _add_analysis(commands)

    _add_watch(commands)

    models = commands.add_parser("models", help="list the bundled models")
    models.set_defaults(run=_models)

    doctor = commands.add_parser("doctor", help="check the installation; what to paste into a bug report")
    doctor.set_defaults(run=_doctor)

    simulate = commands.add_parser("simulate", help="simulate the images that a model is trained on (needs abTEM)")
    simulate.add_argument("recipe", help="recipe by name, such as isomer-haadf, or a file")
    simulate.add_argument("--cache", type=Path, required=True, metavar="DIR", help="folder of the simulations")
    simulate.add_argument("--count", type=int, required=True, help="number of simulations in all; it resumes")
    simulate.add_argument("--workers", type=int, help="processes; by default one for each core")
    simulate.add_argument("--held-out", action="store_true", help="only those held out, for a larger test")
    simulate.set_defaults(run=_simulate)

    particle = commands.add_parser("simulate-particle", help="build, relax and image a particle on a support")
    particle.add_argument("recipe", help="TOML file, see docs/supported.md")
    particle.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of models and images; it resumes"
    )
    particle.set_defaults(run=_simulate_particle)

    potentials = commands.add_parser("potentials", help="how right interatomic potentials are")
    actions = potentials.add_subparsers(title="actions", dest="action", required=True)
    check = actions.add_parser("check", help="properties of Au and Pt beside experiment and DFT")
    check.add_argument("name", help="emt, sevennet or chgnet")
    check.set_defaults(run=_check_potential)

    train = commands.add_parser("train", help="train a model")
    train.add_argument("recipe", help="recipe by name, such as isomer-haadf, or a file")
    train.add_argument("--cache", type=Path, metavar="DIR", help="folder of the simulations; an atlas needs none")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model")
    train.add_argument("--seed", type=int, help="seed, over the recipe's own")
    train.add_argument("--workers", type=int, default=1, help="processes that make batches (default: 1)")
    train.add_argument("--pretrain-only", action="store_true", help="only the stages that need no PRISM images")
    train.set_defaults(run=_train)

    finetune = commands.add_parser("finetune", help="train a model that finds particles further on images of your own")
    finetune.add_argument("model", help="bundled model, such as particles-stem, or folder of a model")
    finetune.add_argument("images", type=Path, help="folder of three images or more")
    finetune.add_argument("labels", type=Path, help="folder of label images or YOLO boxes, or a COCO file")
    finetune.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the new model")
    finetune.add_argument("--steps", type=int, default=400, help="of training, a third of a second each (default: 400)")
    finetune.add_argument("--folds", type=int, default=3, help="parts left out in turn for the report; 0: no report")
    finetune.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    finetune.set_defaults(run=_finetune)

    evaluate = commands.add_parser("evaluate", help="evaluate a model on the simulations held out; writes its figures")
    evaluate.add_argument("model", help="bundled model, or folder of a model")
    evaluate.add_argument("--cache", type=Path, metavar="DIR", help="folder of the simulations; an atlas needs none")
    evaluate.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for tables and figures")
    evaluate.set_defaults(run=_evaluate)
    return parser


def _add_analysis(commands) -> None:
    """Add the commands that analyse image files."""
    measure = commands.add_parser("measure", help="find and measure the particles of image files")
    classify = commands.add_parser("classify", help="find, measure and classify the particles of image files")
    track = commands.add_parser("track", help="find the particles of series and follow them from frame to frame")
    count = commands.add_parser("count", help="find the atomic columns of HAADF images and count their atoms")
    for command in (measure, classify, track, count):
        command.add_argument("files", nargs="+", type=Path, help="files that HyperSpy reads, folders or patterns")
        types = ("HAADF",) if command is count else ("HAADF", "HRTEM", "particle_image")
        command.add_argument("--signal-type", default="HAADF", choices=types, help="default: HAADF")
        command.add_argument("--pixel-size", type=_positive, metavar="NM", help="pixel size in nm, over the file's own")
        command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for tables and pictures")
        command.add_argument(
            "--report",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="write report.html, one file with tables, histogram and pictures (default)",
        )
        command.set_defaults(
            run=_analyse, model=None, lattice_constant=None, min_probability=None, target_accuracy=None
        )
    for command in (measure, classify, track):
        _add_segmentation(command)
        command.add_argument("--finder", help="network that finds particles, such as that of finetune (method network)")
    for command in (classify, track):
        by_default = "none: particles are not classified" if command is track else "that of the signal type"
        command.add_argument("--model", help=f"bundled model, or folder of a model; by default {by_default}")
        command.add_argument(
            "--lattice-constant", type=_positive, metavar="NM", help="of the metal, where it is not gold: 0.392 for Pt"
        )
        command.add_argument("--min-probability", type=float, help="leave less probable classes undefined")
        command.add_argument(
            "--target-accuracy", type=float, metavar="SHARE", help="of the classes given; the rest is undefined"
        )
    track.add_argument("--together", action="store_true", help="the files are single images of one series")
    track.add_argument("--time-step", type=_positive, metavar="S", help="seconds from one image to the next")
    track.add_argument("--max-displacement", type=_positive, metavar="NM", help="between two frames, beyond the drift")
    track.add_argument("--memory", type=int, default=3, help="frames in which a particle may be missing (default: 3)")
    count.add_argument("--spacing", type=_positive, metavar="NM", help="distance of neighbouring columns")
    count.add_argument("--dose", type=_positive, help="electrons per Å², for an image in fractions of the beam")
    count.add_argument("--library", type=Path, help="cross-sections of columns, file of counting.save_library()")


def _add_watch(commands) -> None:
    """Add the command that watches a folder."""
    watch = commands.add_parser("watch", help="analyse every image that is saved to a folder, as it is saved")
    watch.add_argument("folder", type=Path, help="folder that a microscope saves to")
    types = ("HAADF", "HRTEM", "particle_image")
    watch.add_argument("--signal-type", default="HAADF", choices=types, help="default: HAADF")
    watch.add_argument("--out", type=Path, metavar="DIR", help="folder of results (default: FOLDER/results)")
    watch.add_argument("--pixel-size", type=_positive, metavar="NM", help="pixel size in nm, over the files' own")
    watch.add_argument("--model", default="default", help="bundled model or folder of a model, or none: measure alone")
    watch.add_argument("--lattice-constant", type=_positive, metavar="NM", help="of the metal, where it is not gold")
    watch.add_argument("--min-probability", type=float, help="leave less probable classes undefined")
    watch.add_argument(
        "--if",
        dest="condition",
        metavar="CONDITION",
        help='which images are classified, such as "focus > .5 and count > 3"; others are measured alone',
    )
    watch.add_argument("--hook", metavar="COMMAND", help="told of each image: its row as JSON on standard input")
    watch.add_argument("--port", type=int, default=8765, help="of the page, on this machine alone (default: 8765)")
    watch.add_argument("--no-page", action="store_true", help="serve no page; it is still written as a file")
    watch.add_argument("--poll", type=_positive, default=0.25, metavar="S", help="seconds between looks (default: .25)")
    watch.add_argument("--recursive", action="store_true", help="look into folders of the folder too")
    watch.add_argument("--no-pictures", action="store_true", help="draw no picture of each image: faster")
    watch.add_argument("--once", action="store_true", help="end once all that is there is done")
    watch.add_argument("--report", action="store_true", help="write report.html at the end, as measure does")
    _add_segmentation(watch)
    watch.set_defaults(run=_watch)


def _add_segmentation(command) -> None:
    """Add the options of segmentation that matter."""
    group = command.add_argument_group("segmentation")
    group.add_argument(
        "--method",
        choices=("auto", "network", *THRESHOLDS),
        help="by default network for HRTEM, and for others as their background asks for; or a threshold",
    )
    group.add_argument(
        "--exclude-border",
        action=argparse.BooleanOptionalAction,
        help="leave out particles that the border cuts; by default only where HRTEM images are classified",
    )
    group.add_argument("--mask", type=Path, metavar="FILE", help="image that is not zero where to look")
    group.add_argument("--polarity", choices=("auto", "bright", "dark"), help="of particles (auto, network)")
    group.add_argument("--min-diameter", type=_positive, metavar="NM", help="smaller particles are left out")
    group.add_argument("--min-detection", type=float, help="probability below which nothing is a particle (network)")
    group.add_argument("--smoothing", type=_positive, metavar="NM", help="sigma of the Gaussian of method auto")
    group.add_argument("--background-diameter", type=_positive, metavar="NM", help="what is wider is background (auto)")
    group.add_argument(
        "--split", action=argparse.BooleanOptionalAction, help="cut touching particles apart (auto; default)"
    )
    group.add_argument(
        "--gaussian", type=_positive, metavar="PX", help="sigma of the Gaussian of thresholds, in pixels"
    )
    group.add_argument(
        "--invert", action="store_const", const=True, help="particles are darker than the threshold (thresholds)"
    )
    group.add_argument("--min-size", type=int, metavar="PX", help="smallest particle of thresholds, in pixels")


def _positive(text: str) -> float:
    """A number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above zero, not {text}")
    return value


def _analyse(options) -> int:
    from particlespy_ml.commands import analyse

    return getattr(analyse, options.command)(options)


def _watch(options) -> int:
    from particlespy_ml.commands.watch import watch

    return watch(options)


def _doctor(options) -> int:
    from particlespy_ml.commands.doctor import doctor

    return doctor()


def _models(options) -> int:
    from particlespy_ml.models.load import describe_models

    print("\n".join(describe_models()))
    return 0


def _simulate(options) -> int:
    from particlespy_ml.training.tasks import simulate

    simulate(options.recipe, options.cache, options.count, options.workers, held_out_only=options.held_out)
    return 0


def _simulate_particle(options) -> int:
    from particlespy_ml.simulation.simulate_particle import simulate_particle

    for path in simulate_particle(options.recipe, options.out):
        print(path)
    return 0


def _check_potential(options) -> int:
    from particlespy_ml.simulation.potentials.check_potential import print_check

    print_check(options.name)
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


def _finetune(options) -> int:
    from particlespy_ml.training.multiscale.finetune import finetune
    from particlespy_ml.training.multiscale.label_files import read_labelled

    images = read_labelled(options.images, options.labels)
    report = finetune(options.model, images, options.out, steps=options.steps, folds=options.folds, seed=options.seed)
    print(f"{len(images)} images, {sum(int(one.labels.max()) for one in images)} particles")
    for name, part in report.items():
        print(
            f"  {name:>6}: F1 {part['f1']:.3f} of images left out: {part['matched']} particles found, "
            f"{part['missed']} missed, {part['wrong']} wrong"
        )
    print(f"model in {options.out}")
    return 0


def _evaluate(options) -> int:
    from particlespy_ml.training.tasks import evaluate, report

    results = evaluate(options.model, options.cache, options.out)
    print(report(options.model, results))
    print(f"figures and all numbers in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
