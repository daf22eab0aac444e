"""What an import costs, and that every name that is offered is there."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import particlespy_ml

PACKAGE = Path(particlespy_ml.__file__).parent
HEAVY = ("torch", "abtem", "ase", "atomap", "particlespy", "sklearn", "skimage", "trackpy", "pandas", "matplotlib")


def modules_after(code, folder):
    """Names of the modules that a fresh Python holds after some code."""
    code = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_hyperspy_is_not_slowed_down(tmp_path):
    loaded = modules_after("import hyperspy.api as hs\nhs.print_known_signal_types()", tmp_path)
    for name in ("torch", "abtem", "ase", "atomap", "particlespy", "trackpy"):
        assert name not in loaded
    assert not [name for name in loaded if name.startswith("particlespy_ml.")]


def test_the_package_imports_nothing_but_itself(tmp_path):
    loaded = modules_after("import particlespy_ml", tmp_path)
    for name in (*HEAVY, "hyperspy", "numpy", "dask"):
        assert name not in loaded
    assert {name for name in loaded if name.startswith("particlespy_ml")} == {"particlespy_ml"}


def test_loading_an_image_needs_no_torch(tmp_path):
    code = (
        "import numpy as np, hyperspy.api as hs\n"
        "s = hs.signals.Signal2D(np.zeros((4, 4)))\n"
        "s.set_signal_type('HAADF')\n"
        "assert type(s).__name__ == 'HAADFImage'"
    )
    loaded = modules_after(code, tmp_path)
    for name in ("torch", "abtem", "ase", "atomap", "particlespy", "sklearn", "trackpy"):
        assert name not in loaded


def test_segmenting_and_measuring_needs_neither_torch_nor_qt(tmp_path):
    code = (
        "import numpy as np, hyperspy.api as hs, particlespy_ml as pml\n"
        "assert pml.data.gold_on_carbon().measure_particles().n_particles == 6"
    )
    loaded = modules_after(code, tmp_path)
    for name in ("torch", "abtem", "atomap", "PyQt5", "PySide6", "PyQt6"):
        assert name not in loaded


def test_the_command_line_starts_without_torch(tmp_path):
    loaded = modules_after("from particlespy_ml.cli import main\nmain([])", tmp_path)
    for name in ("torch", "abtem", "hyperspy", "matplotlib", "pandas"):
        assert name not in loaded


def stub_names(stub):
    """Names that a stub offers: (name, where it comes from)."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    offered = [
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    (declared,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    ]
    assert sorted(offered) == sorted(declared)
    return declared


STUBS = sorted(PACKAGE.rglob("*.pyi"))


def test_there_are_stubs():
    assert {stub.parent.name for stub in STUBS} >= {"particlespy_ml", "data"}


@pytest.mark.parametrize(
    ("module", "name"),
    [(".".join(stub.relative_to(PACKAGE.parent).parent.parts), name) for stub in STUBS for name in stub_names(stub)],
)
def test_every_name_of_a_stub_imports(module, name):
    module = importlib.import_module(module)
    assert getattr(module, name) is not None
    assert name in module.__all__ and name in dir(module)
    assert getattr(module, name).__doc__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="classify_everything"):
        particlespy_ml.classify_everything  # noqa: B018


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert particlespy_ml.__version__ == version("particlespy-ml")


# A room imports from those to its left alone.
ORDER = (
    "core quality tables models crystals segmentation columns strain plotting particles stacks classification dynamics "
    "counting populations reconstruction live signals"
).split()
BESIDE = {"simulation", "training", "data", "cli", "commands", "demo"}


def module_name(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path):
    """Modules of the package that a file imports, at any depth: at the top and inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("particlespy_ml"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in FILES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("particlespy_ml"))


IMPORTS = {name: set(imports_of(path)) - {name} for name, path in FILES.items()}


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def test_rooms_import_from_their_left_alone():
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if room_of(name) in ORDER
        and room_of(other)
        and (room_of(other) not in ORDER or ORDER.index(room_of(other)) > ORDER.index(room_of(name)))
    ]
    assert wrong == []


def test_every_room_has_its_place():
    rooms = {room_of(name) for name in FILES} - {""}
    assert rooms <= {*ORDER, *BESIDE}


def test_no_file_imports_another_in_a_circle():
    left = {name: {other for other in others if other in FILES} for name, others in IMPORTS.items()}
    while leaves := [name for name, others in left.items() if not others & left.keys()]:
        for name in leaves:
            del left[name]
    assert left == {}


def test_the_simulation_and_training_stand_beside():
    """abTEM stays out of the way of users who only analyse; the examples are simulated."""
    allowed = {"simulation", "training", "cli", "data"}
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if room_of(other) in ("simulation", "training") and room_of(name) not in allowed
    ]
    assert wrong == []


def test_functions_stand_before_files_of_the_same_name():
    for name in FILES:
        if not name.startswith(("particlespy_ml.training", "particlespy_ml.data.make")):
            importlib.import_module(name)
    for stub in STUBS:
        room = importlib.import_module(module_name(stub).removesuffix(".__init__"))
        for name in room.__all__:
            value = getattr(room, name)
            assert isinstance(value, ModuleType) == (f"{room.__name__}.{name}" in ROOMS), f"{room.__name__}.{name}"


ROOMS = {f"particlespy_ml.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
