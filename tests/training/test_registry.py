"""Trainings and tasks: each has the name of the other."""

import pytest

from particlespy_ml.models import TASKS
from particlespy_ml.models.load import list_models, load_model
from particlespy_ml.training import tasks
from particlespy_ml.training.recipe import bundled_recipes, load_recipe
from particlespy_ml.training.registry import TRAININGS, training_of
from particlespy_ml.training.training import Training

COMMANDS = ("simulate", "train", "evaluate", "draw", "report")


def test_a_training_is_one_of_a_task_and_answers_every_command():
    assert sorted(TRAININGS) == [
        "crystallinity",
        "isomer",
        "isomer-atlas",
        "map_columns",
        "multiscale_segmentation",
        "segmentation",
    ]
    for name, training in TRAININGS.items():
        assert training.name == name and name in TASKS and training.__doc__
        assert all(getattr(training, command) is not getattr(Training, command) for command in COMMANDS)
        assert hasattr(training.simulation, "from_dict") and hasattr(training.detector, "from_dict")


def test_every_bundled_model_can_be_made_again():
    names = {name: load_recipe(name)["model"]["task"] for name in bundled_recipes()}
    assert names == {name: load_model(name).card["task"] for name in list_models()}


def test_a_task_that_is_not_trained_here_lists_those_that_are(make_model, tmp_path):
    folder = make_model(task="classification")
    for run in (lambda: tasks.evaluate(folder, None, tmp_path / "out"), lambda: tasks.report(folder, {})):
        with pytest.raises(ValueError, match="no training for the task 'classification', only for .*'isomer'"):
            run()
    with pytest.raises(ValueError, match="no training"):
        training_of("columns")
    assert not (tmp_path / "out").exists()


def test_the_commands_say_which_folder_is_missing(tmp_path):
    with pytest.raises(ValueError, match="'isomer-atlas' needs no simulations"):
        tasks.simulate("isomer-atlas", tmp_path, 1)
    with pytest.raises(ValueError, match="'isomer' needs simulations: give the folder"):
        tasks.evaluate("isomer-haadf", None, tmp_path / "out")
    with pytest.raises(ValueError, match="'isomer-atlas' has no stages that need no simulations"):
        tasks.train("isomer-atlas", None, tmp_path / "model", pretrain_only=True)
