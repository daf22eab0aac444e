"""The function `simulate_particle`: build, relax, heat and image a supported particle, as a recipe file says."""

from __future__ import annotations

import inspect
import logging
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.core.files import replacing
from particlespy_ml.simulation.atoms.supported_particle import supported_particle
from particlespy_ml.simulation.potentials.relax_structure import relax_structure, run_dynamics
from particlespy_ml.simulation.recording.camera import load_camera
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.simulate_image import simulate_image, true_columns
from particlespy_ml.simulation.settings import from_table
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope

if TYPE_CHECKING:
    from ase import Atoms

_logger = logging.getLogger(__name__)
TABLES = ("particle", "relaxation", "dynamics", "image")
_OWN = ("self", "atoms", "models", "trajectory", "show_progressbar", "reference", "options")


def load_particle_recipe(path: str | Path) -> dict:
    """Read the recipe of a supported particle.

    Parameters
    ----------
    path
        TOML file: ``[particle]`` takes what `supported_particle` does, ``[relaxation]`` and ``[dynamics]``, which may
        be missing, what `relax_structure` and `run_dynamics` do, and one or more ``[[image]]`` what `simulate_image`
        does, with a ``name``, ``[image.optics]`` and the file of a ``camera``.

    Returns
    -------
    dict
        Of these tables, ``image`` a list.

    Raises
    ------
    ValueError
        If there is no such file, or a table or a setting is unknown.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no recipe {str(path)!r}.")
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(recipe) - set(TABLES))
    if unknown or "particle" not in recipe:
        raise ValueError(f"Recipe {path.name}: unknown tables {unknown}; expected [particle] and some of {TABLES[1:]}.")
    images = recipe.setdefault("image", [])
    if not isinstance(images, list):
        raise ValueError(f"Recipe {path.name}: [image]; expected [[image]], once for each image.")
    functions = {"particle": supported_particle, "relaxation": relax_structure, "dynamics": run_dynamics}
    for table, function in functions.items():
        _check(recipe.get(table, {}), function, table, path)
    for number, one in enumerate(images):
        _check({key: value for key, value in one.items() if key != "name"}, simulate_image, f"image {number}", path)
        camera = one.get("camera")
        if camera and not Path(camera).is_absolute():
            one["camera"] = str(path.parent / camera)
    return recipe


def _check(settings: dict, function, table: str, path: Path) -> None:
    allowed = [one for one in inspect.signature(function).parameters if one not in _OWN]
    unknown = sorted(set(settings) - set(allowed) - ({"depth"} if table in ("relaxation", "dynamics") else set()))
    if unknown:
        raise ValueError(
            f"Recipe {path.name}, {table}: unknown settings {unknown}; expected some of {sorted(allowed)}."
        )


def simulate_particle(recipe: str | Path | dict, folder: str | Path, show_progressbar: bool = True) -> list[Path]:
    """Make what a recipe says, and write it into a folder.

    A relaxation or dynamics that was broken off resumes from the trajectory in the folder.

    Parameters
    ----------
    recipe
        File, or tables as of `load_particle_recipe`.
    folder
        It is made where it is missing.
    show_progressbar
        Of relaxation and dynamics.

    Returns
    -------
    list of pathlib.Path
        ``model.extxyz``, ``relaxed.extxyz`` and ``snapshots.extxyz``, and for each image its ``.hspy`` and a table of
        the true columns in ``.csv``.
    """
    tables = recipe if isinstance(recipe, dict) else load_particle_recipe(recipe)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = supported_particle(**tables["particle"])
    written = [_write(folder / "model.extxyz", model)]
    reference, models = model, [model]
    if "relaxation" in tables:
        options = {"trajectory": folder / "relaxation.traj", "show_progressbar": show_progressbar}
        model = relax_structure(model, **tables["relaxation"], **options)
        written.append(_write(folder / "relaxed.extxyz", model))
        models = [model]
    if "dynamics" in tables:
        options = {"trajectory": folder / "dynamics.traj", "show_progressbar": show_progressbar}
        models = run_dynamics(model, **tables["dynamics"], **options)
        written.append(_write(folder / "snapshots.extxyz", models))
    for number, settings in enumerate(tables.get("image", [])):
        written += _image(folder, number, dict(settings), models, reference)
    _logger.info("%d files in %s", len(written), folder)
    return written


def _image(folder: Path, number: int, settings: dict, models, reference) -> list[Path]:
    name = str(settings.pop("name", f"image-{number + 1}"))
    mode = settings.get("mode", "HRTEM")
    lens = from_table(HAADFMicroscope if mode == "HAADF" else Optics, settings.pop("optics", {}), "optics")
    camera = load_camera(settings.pop("camera")) if settings.get("camera") else None
    image = simulate_image(models, optics=lens, camera=camera, reference=reference, **settings)
    paths = [folder / f"{name}.hspy", folder / f"{name}-columns.csv"]
    with replacing(paths[0]) as beside:
        image.save(str(beside), overwrite=True)
    with replacing(paths[1]) as beside:
        true_columns(image).to_csv(beside, index=False)
    return paths


def _write(path: Path, atoms: Atoms | list[Atoms]) -> Path:
    """Write structures without what extended XYZ cannot hold."""
    from ase.io import write

    plain = []
    for one in atoms if isinstance(atoms, list) else [atoms]:
        bare = one.copy()
        bare.set_constraint()
        bare.info = {}
        plain.append(bare)
    with replacing(path) as beside:
        write(str(beside), plain, format="extxyz")
    return path
