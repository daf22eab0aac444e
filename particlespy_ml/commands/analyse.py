"""The commands `measure`, `classify`, `track` and `count`: image files in, a folder of results out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.commands.images import find_files, natural_key
from particlespy_ml.commands.results import Results, older_results
from particlespy_ml.core.files import replacing
from particlespy_ml.core.load_images import load_images
from particlespy_ml.segmentation.options import LENGTHS

if TYPE_CHECKING:
    import numpy as np
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure

SEGMENTATION = (
    "polarity",
    "smoothing",
    "min_diameter",
    "background_diameter",
    "min_detection",
    "split",
    "gaussian",
    "min_size",
    "invert",
)
SUFFIXES, REPORT, MOST_NAMES = (".hspy", ".csv", ".png"), "report.html", 6


def measure(options) -> int:
    """Find and measure the particles of each image."""
    return _run(options, "particles", "Measuring", _particles(options, None))


def classify(options) -> int:
    """Find, measure and classify the particles of each image."""
    from particlespy_ml.models.load import DEFAULT_MODELS, load_model

    name = options.model or DEFAULT_MODELS.get(options.signal_type)
    if not name:
        print(f"There is no model for {options.signal_type} images: particles are measured, not classified.")
        return measure(options)
    return _run(options, "particles", "Classifying", _particles(options, load_model(name)))


def track(options) -> int:
    """Find, measure and, with a model, classify the particles of series, and follow them from frame to frame."""
    from particlespy_ml.models.load import load_model

    find = _particles(options, load_model(options.model) if options.model else None)

    def follow(image: BaseSignal) -> BaseSignal:
        if options.time_step is not None and not options.together and image.axes_manager.navigation_dimension == 1:
            axis = image.axes_manager.navigation_axes[0]
            axis.name, axis.scale, axis.offset, axis.units = "time", options.time_step, 0.0, "s"
        if image.axes_manager.navigation_dimension != 1:
            raise ValueError(
                f"expected a series along one axis, not the navigation shape {image.axes_manager.navigation_shape}; "
                "single images of one size are a series with --together"
            )
        given = options.max_displacement
        table = find(image)
        return table.track_particles(None if given is None else f"{given} nm", memory=options.memory)

    return _run(options, "particles", "Tracking", follow)


def count(options) -> int:
    """Find the atomic columns of each image, and count their atoms."""

    def columns(image: BaseSignal) -> BaseSignal:
        found = image.find_columns(
            spacing=None if options.spacing is None else f"{options.spacing} nm", dose=options.dose, lazy_output=False
        )
        return found.count_atoms(library=options.library)

    return _run(options, "columns", "Counting", columns)


def _particles(options, model) -> Callable:
    """Return a function of an image that gives its table."""
    segmentation = {**segmentation_options(options), "method": options.method}
    segmentation["mask"] = None if options.mask is None else load_mask(options.mask)
    if options.finder and options.method not in (None, "network"):
        raise ValueError(f"--finder is a network, and goes with --method network, not with {options.method}.")
    finder = {**segmentation, "method": "network", "model": options.finder} if options.finder else None

    def find(image: BaseSignal) -> BaseSignal:
        settings = {**segmentation, "lazy_output": False}
        if model is None:
            settings |= finder or {}
            return image.measure_particles(exclude_border=bool(options.exclude_border), **settings)
        if finder:  # model= is the classifier
            labels = image.segment_particles(**finder)
            settings = {"labels": labels, "mask": segmentation["mask"], "lazy_output": False}
        constant = options.lattice_constant
        return image.classify_particles(
            model,
            min_probability=options.min_probability,
            target_accuracy=options.target_accuracy,
            lattice_constant=None if constant is None else f"{constant} nm",
            exclude_border=options.exclude_border,
            **settings,
        )

    return find


def segmentation_options(options) -> dict:
    """Return the options of the segmentation that were typed, lengths as texts with their unit."""
    given = {name: getattr(options, name) for name in SEGMENTATION if getattr(options, name) is not None}
    return {name: f"{value} nm" if name in LENGTHS else value for name, value in given.items()}


def load_mask(path: Path) -> np.ndarray:
    """Return the one image of a file, true where it is not zero."""
    import numpy as np

    images, _ = load_images(path, "particle_image")
    if len(images) > 1:
        raise ValueError(f"{path} holds {len(images)} images; expected one mask.")
    return np.asarray(images[0][1].data) != 0


def _run(options, rows_are: str, doing: str, analyse: Callable) -> int:
    """Analyse each image of each file; results that were made stay where another file fails."""
    from tqdm.auto import tqdm

    files, empty = find_files(options.files, options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    results, pictures = Results(failures=empty), {}
    before = older_results(options.out, SUFFIXES, ("particles.csv", "columns.csv", REPORT))
    before -= {path.name for path in files}  # images in the folder of results
    # the table of all files has this name, and results must not replace the files they come from
    taken = {rows_are, "report", *(path.stem for path in files if path.resolve().parent == options.out.resolve())}
    bar = {"desc": doing, "unit": "file", "total": None if getattr(options, "together", False) else len(files)}
    for path, images in tqdm(_images(options, files, results), **bar):
        for name, image in images:
            free = _free_name(name, taken)
            try:
                table = analyse(image)
                figure = _picture(table, image)
                _write(options.out / free, table, figure)
            except Exception as error:  # one bad image must not cost the others; it is reported below
                which = "" if len(images) == 1 else f"{name}: "
                results.failures.append((path, f"{which}{type(error).__name__}: {_advice(error)}"))
                continue
            results.names.append(free)
            results.files.append(path)
            results.tables.append(table)
            pictures[free] = options.out / f"{free}.png"
    if results.tables:
        with replacing(options.out / f"{rows_are}.csv") as part:
            results.to_dataframe().to_csv(part, index=False, encoding="utf-8-sig")
        if options.report:
            from particlespy_ml.commands.report import write_report

            write_report(options.out / REPORT, results, pictures, options.command_line)
    _warn_of_older(options.out, before - _written(results, rows_are, options.report))
    total = sum(table.n_rows for table in results.tables)
    print(f"{total} {rows_are} in {len(results.tables)} images; results in {options.out}")
    for path, reason in results.failures:
        print(f"could not be done: {path}: {reason}", file=sys.stderr)
    return 1 if results.failures else 0


def _written(results: Results, rows_are: str, report: bool) -> set[str]:
    """Names of the files that a run has made."""
    names = {f"{name}{suffix}" for name in results.names for suffix in SUFFIXES}
    if results.tables:
        names |= {f"{rows_are}.csv"} | ({REPORT} if report else set())
    return names


def _warn_of_older(out: Path, older: set[str]) -> None:
    """Say which results of an earlier run stand beside those of this one, and are not of it."""
    if not older:
        return
    names = sorted(older, key=lambda name: natural_key(Path(name)))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    print(
        f"warning: {out} also holds results of an earlier run, which were left as they are: "
        f"{', '.join(names[:MOST_NAMES])}{more}. Delete them, or give each run an --out of its own.",
        file=sys.stderr,
    )


def _images(options, files: list[Path], results: Results):
    """Yield each file with its images, or all files as one series."""
    loaded, numbers = [], []
    for number, path in enumerate(files):
        try:
            images, skipped = load_images(path, options.signal_type, options.pixel_size)
        except Exception as error:
            results.failures.append((path, f"{type(error).__name__}: {error}"))
            continue
        for reason in skipped:
            print(f"left out of {path.name}: {reason}")
        if getattr(options, "together", False):
            if len(images) > 1:
                reason = f"holds {len(images)} images; --together takes files of one image each"
                results.failures.append((path, reason))
                continue
            loaded += images
            numbers += [number] * len(images)
        else:
            yield path, images
    if loaded:
        yield files[0], [(f"{loaded[0][0]} and {len(loaded) - 1} more", _series(loaded, options.time_step, numbers))]


def _series(images: list[tuple], time_step: float | None, numbers: list[int]) -> BaseSignal:
    """Single images as one lazy series, in the order of the files; numbers of those among all, some of which failed."""
    import hyperspy.api as hs
    import numpy as np

    shapes = {image.data.shape for _, image in images}
    if len(shapes) > 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"--together takes single images of one size, not of {sorted(shapes)}.")
    first = _pixels(images[0][1])
    for name, image in images[1:]:
        if not all(
            a == b and np.isclose(c, d, rtol=1e-3) for (a, c), (b, d) in zip(first, _pixels(image), strict=True)
        ):
            raise ValueError(
                f"--together takes images of one pixel size: {images[0][0]} has {_told(first)}, {name} "
                f"{_told(_pixels(image))}; give --pixel-size NM where a file is wrong."
            )
    series = hs.stack([image.as_lazy() for _, image in images], new_axis_name="time", lazy=True)
    if time_step is not None:
        axis = series.axes_manager["time"]
        axis.scale, axis.offset, axis.units = time_step, 0.0, "s"
        if numbers != list(range(len(numbers))):
            axis.convert_to_non_uniform_axis()
            axis.axis = time_step * np.array(numbers, float)
    return series


def _pixels(image: BaseSignal) -> list[tuple[str, float]]:
    """Unit and size of a pixel along both axes."""
    return [(str(axis.units), float(axis.scale)) for axis in image.axes_manager.signal_axes]


def _told(pixels: list[tuple[str, float]]) -> str:
    return " x ".join(f"{scale:g} {unit}" for unit, scale in pixels)


def _advice(error: Exception) -> str:
    """What went wrong, in terms of the command line."""
    text = str(error)
    if "not calibrated as a length" in text:
        return f"{text.split('; expected')[0]}; give the size of a pixel with --pixel-size NM."
    return text


def _free_name(name: str, taken: set[str]) -> str:
    """A name that no other file of this run has."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    taken.add(free)
    return free


def _picture(table: BaseSignal, image: BaseSignal) -> Figure:
    """The first frame with its particles or columns, drawn before anything is written."""
    index = (0,) * image.axes_manager.navigation_dimension
    draw = table.plot_counts if hasattr(table, "plot_counts") else table.plot_overlay
    figure = draw(image, index=0 if hasattr(table, "plot_counts") else index).figure
    figure.canvas.draw()
    return figure


def _write(path: Path, table: BaseSignal, figure: Figure) -> None:
    """Write a table, its rows as CSV, and a picture; *path* has no suffix."""
    import matplotlib.pyplot as plt

    try:
        table.save(path.with_name(f"{path.name}.hspy"), overwrite=True)
        table.to_csv(path.with_name(f"{path.name}.csv"))
        with replacing(path.with_name(f"{path.name}.png")) as part:
            figure.savefig(part, dpi=150)
    finally:
        plt.close(figure)
