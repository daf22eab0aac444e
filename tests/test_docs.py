"""Every block of code of README and docs runs as it stands, in the order of its page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import particlespy_ml as pml

ROOT = Path(__file__).parents[1]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```python" in page.read_text()
]


def write_movie() -> dict:
    """A file of a short movie, as a microscope writes it."""
    movie = pml.data.isomer_movie().inav[:2]
    movie.compute()
    plain = movie.deepcopy()
    plain.set_signal_type("")
    plain.inav[0].save("movie.emd")
    return {}


def write_session() -> dict:
    import imageio.v3 as iio

    write_movie()
    image = pml.data.gold_on_carbon()
    image.save("session.hspy")
    grey = np.clip(255 * (image.data - image.data.min()) / np.ptp(image.data), 0, 255)
    iio.imwrite("particles.png", grey.astype(np.uint8))
    return {}


def write_image() -> dict:
    pml.data.gold_on_carbon().save("image.hspy")
    return {}


def platinum() -> dict:
    return {"s": pml.data.columns_of_platinum(), "library": pml.data.platinum_library()}


def populations() -> dict:
    """A few particles, of which a volume is found quickly."""
    return {"s": pml.data.three_populations(1).isig[:240, :240].rebin(scale=(1, 4, 4))}


def relion() -> dict:
    s = pml.data.gold_on_carbon()
    table = s.measure_particles().cluster_particles(n_clusters=1, resamples=0)
    stack = s.extract_particles(table, remove_background=True)
    import pandas as pd

    poses = pd.DataFrame(np.zeros((6, 3)), columns=["rot", "tilt", "psi"])
    stack.save_star("run_data.star", poses)
    return {"s": s, "table": table, "pml": pml}


def folder_of_images() -> dict:
    image = pml.data.gold_on_carbon()
    image.save("images/first.hspy")
    return {}


def on_support():
    return {"s": pml.data.particles_on_support().isig[:256, :256]}


GIVEN = {
    "README": write_movie,
    "start": write_session,
    "questions": write_image,
    "counting": platinum,
    "populations": populations,
    "columns-hrtem": dict,
    "strain": dict,
    "surface": dict,
    "relion": relion,
    "live": folder_of_images,
    "supports": on_support,
    "supported": dict,
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_of_a_page(page, tmp_path, monkeypatch):
    import hyperspy.api as hs
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hs.preferences.General, "show_progressbar", False)
    names = GIVEN[page.stem]()
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        exec(compile(block, page.name, "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("page", [ROOT / "docs" / "columns-hrtem.md"], ids=lambda page: page.stem)
def test_recipes_of_a_page_draw_what_they_say(page, tmp_path, monkeypatch):
    from ase.build import mx2

    from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
    from particlespy_ml.simulation.atoms.column_structures import draw_structure
    from particlespy_ml.training.recipe import load_recipe

    monkeypatch.chdir(tmp_path)
    mx2("MoS2").write("mos2.xyz")
    (block,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    Path("mos2.toml").write_text(block, encoding="utf-8")
    tables = load_recipe("mos2.toml")
    recipe = ColumnWaveRecipe.from_dict(tables["simulation"])
    assert recipe.kinds == tuple(one["kind"] for one in tables["model"]["columns"])
    kinds = {kind for seed in range(8) for kind in draw_structure(recipe, np.random.default_rng(seed))[0].kinds}
    assert kinds == set(recipe.kinds)
