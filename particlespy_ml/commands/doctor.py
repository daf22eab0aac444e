"""The command `doctor`: what is installed, and whether it works; to be pasted into a bug report."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution, entry_points, requires, version
from importlib.util import find_spec

EXTRAS = {"simulation": ("abtem", "ase"), "reconstruction": ("aspire",), "excel": ("openpyxl",)}
PARTICLES = 6  # what the self-test finds


def doctor() -> int:
    """Print what is installed and what is wrong with it; return 1 where something is broken."""
    broken: list[str] = []
    for title, check in (
        ("system", _system),
        ("packages", _packages),
        ("extras", _extras),
        ("HyperSpy", _registration),
        ("models", _models),
        ("threads and GPU", _processors),
        ("self-test", _self_test),
    ):
        print(f"{title}:")
        try:
            lines, wrong = check()
        except Exception as error:  # whatever is broken is what is asked for
            lines, wrong = [], [f"{type(error).__name__}: {error}"]
        for line in lines:
            print(f"  {line}")
        for line in wrong:
            print(f"  BROKEN: {line}")
        broken += wrong
    print(f"{len(broken)} broken: see above" if broken else "All works.")
    return 1 if broken else 0


def _system() -> tuple[list[str], list[str]]:
    from particlespy_ml import __version__

    return [
        f"particlespy-ml {__version__}",
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}",
    ], []


def _packages() -> tuple[list[str], list[str]]:
    """Versions of all that the package needs; one that is missing is broken, one out of its range is told."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return ["packaging is not installed: ranges of versions are not checked"], []
    lines, wrong = [], []
    for text in requires("particlespy-ml") or []:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(need.name)
        except PackageNotFoundError:
            wrong.append(f"{need.name} is not installed; pip install '{need}'")
            continue
        outside = "" if need.specifier.contains(found, prereleases=True) else f" (expected {need.specifier})"
        lines.append(f"{need.name} {found}{outside}")
    return lines, wrong


def _extras() -> tuple[list[str], list[str]]:
    lines = []
    for extra, packages in EXTRAS.items():
        found = ", ".join(f"{name} {_version(name)}" for name in packages)
        lines.append(f"{extra}: {found}")
    return lines, []


def _version(package: str) -> str:
    return version(package) if find_spec(package) is not None else "is not installed"


def _registration() -> tuple[list[str], list[str]]:
    """Whether HyperSpy knows the signal types."""
    import hyperspy.api as hs
    import numpy as np

    registered = [point.name for point in entry_points(group="hyperspy.extensions")]
    if "particlespy_ml" not in registered:
        return [], ["the package is not among HyperSpy's extensions; install it with pip, not by a path"]
    wrong = []
    for signal_type, cls in (("HAADF", "HAADFImage"), ("HRTEM", "HRTEMImage"), ("particle_image", "ParticleImage")):
        signal = hs.signals.Signal2D(np.zeros((4, 4)))
        signal.set_signal_type(signal_type)
        if type(signal).__name__ != cls:
            wrong.append(f"{signal_type} signals are {type(signal).__name__}, not {cls}")
    folder = distribution("particlespy-ml").locate_file("")
    return [f"extensions: {', '.join(sorted(registered))}", f"installed in {os.fspath(folder)}"], wrong


def _models() -> tuple[list[str], list[str]]:
    """Whether the weights of the bundled models are those of their cards, by their hashes."""
    from importlib.resources import files
    from pathlib import Path

    from particlespy_ml.models.card import read_card
    from particlespy_ml.models.load import list_models

    lines, wrong = [], []
    for name in list_models():
        folder = Path(str(files("particlespy_ml.weights"))) / name
        try:
            wanted = read_card(folder / "card.json")["sha256"]
            found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            wrong.append(f"{name}: {error}")
            continue
        if found != wanted:
            wrong.append(f"{name}: its weights have the sha256 {found[:12]}, its card says {wanted[:12]}")
        else:
            lines.append(f"{name} {found[:12]}")
    return lines, wrong if lines or wrong else ["no models are bundled"]


def _processors() -> tuple[list[str], list[str]]:
    import torch
    from threadpoolctl import threadpool_info

    lines = [f"{os.cpu_count()} processors; torch has {torch.get_num_threads()} threads"]
    pools = {f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()}
    lines.append(f"linear algebra: {', '.join(sorted(pools)) or 'no library is loaded'}")
    limits = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    lines += [f"{name}={value}" for name, value in limits.items()]
    if not torch.cuda.is_available():
        return [*lines, f"no GPU (torch {torch.__version__})"], []
    device = torch.cuda.get_device_name(0)
    total = float((torch.ones(8, device="cuda") * 2).sum())
    return [*lines, f"GPU: {device}"], [] if total == 16 else [f"{device} adds up to {total}, not 16"]


def _self_test() -> tuple[list[str], list[str]]:
    """Find and classify the particles of a bundled image."""
    import particlespy_ml as pml

    wrong, lines = [], []
    image = pml.data.gold_on_carbon()
    table, seconds = _timed(lambda: image.classify_particles("isomer-haadf", show_progressbar=False))
    names = ", ".join(f"{name} {(table['class'] == name).sum()}" for name in table.classes)
    lines.append(f"a simulated image: {table.n_particles} particles ({names}) in {seconds:.1f} s")
    if table.n_particles != PARTICLES:
        wrong.append(f"found {table.n_particles} particles where there are {PARTICLES}")
    true, found = Counter(map(str, image.metadata.Simulation.isomers)), Counter(map(str, table["class"]))
    if (true & found).total() < PARTICLES - 1:
        wrong.append(f"classified them as {dict(found)}, where they are {dict(true)}")
    return lines, wrong


def _timed(run: Callable) -> tuple:
    started = time.perf_counter()
    return run(), time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(doctor())
