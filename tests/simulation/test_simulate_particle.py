"""From a recipe to models and images, by the command."""

import numpy as np
import pytest

from particlespy_ml.cli import main
from particlespy_ml.simulation.recording.camera import Camera
from particlespy_ml.simulation.simulate_particle import load_particle_recipe

RECIPE = """
[particle]
metal = "Pt"
support = "MgO"
facet = "100"
face = "100"
size = 7
width = 12
thickness = 4

[relaxation]
fmax = 0.3
steps = 15

[dynamics]
temperatures = [300]
steps = 4
snapshots = 2

[[image]]
name = "profile"
view = "profile"
pixel_size = 0.4
sampling = 0.25
slice_thickness = 4.0
dose = 1000.0
camera = "camera.toml"
optics = {defocus = -60.0, spherical_aberration = -1e5, focal_spread = 20.0}
"""


def test_command_writes_models_and_images_and_resumes(tmp_path, capsys):
    import hyperspy.api as hs
    import pandas as pd
    from ase.io import read

    (tmp_path / "recipe.toml").write_text(RECIPE)
    Camera(0.1, 0.3, 2.0, gain=10.0).save(tmp_path / "camera.toml")
    arguments = ["simulate-particle", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "profile.hspy" in capsys.readouterr().out
    snapshots = read(tmp_path / "out" / "snapshots.extxyz", index=":")
    assert len(snapshots) == 2 and set(snapshots[0].get_chemical_symbols()) == {"Mg", "O", "Pt"}
    image = hs.load(tmp_path / "out" / "profile.hspy")
    columns = pd.read_csv(tmp_path / "out" / "profile-columns.csv")
    assert image.data.mean() == pytest.approx(10 * 1000 * 0.16, rel=0.05)
    assert columns["height"].sum() == len(snapshots[0]) and columns["layer"].max() >= 2
    (tmp_path / "out" / "profile.hspy").unlink()
    assert main(arguments) == 0
    np.testing.assert_array_equal(hs.load(tmp_path / "out" / "profile.hspy").data, image.data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[particle]\ncolour = 1", "unknown settings"),
        ("[support]\nmetal = 'Pt'", "unknown tables"),
        ("[particle]\nmetal = 'Pt'\n[image]\nview = 'plan'", "image"),
        ("[particle]\n[[image]]\nzoom = 3", "unknown settings"),
    ],
)
def test_recipes_that_are_wrong(tmp_path, text, reason):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(ValueError, match=reason):
        load_particle_recipe(tmp_path / "recipe.toml")
    with pytest.raises(ValueError, match="no recipe"):
        load_particle_recipe(tmp_path / "none.toml")
