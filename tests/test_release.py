"""What a release must agree on: one version, the versions of Python, and the oldest packages that are tested."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import particlespy_ml

CONDA_NAMES = {
    "dask": "dask-core",
    "hyperspy": "hyperspy-base",
    "matplotlib": "matplotlib-base",
    "torch": "pytorch",
}

ROOT = Path(__file__).parents[1]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def requirements():
    lists = [SETUP["options"]["install_requires"], *SETUP["options.extras_require"].values()]
    for line in "\n".join(lists).splitlines():
        if line.strip() and not line.startswith("#"):
            yield Requirement(line)


def test_the_version_is_written_once():
    assert SETUP["metadata"]["version"] == "attr: particlespy_ml.__version__"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == particlespy_ml.__version__
    assert citation["license"] == SETUP["metadata"]["license_expression"]


def test_the_changelog_has_a_place_for_the_next_changes_or_the_version():
    parts = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert parts[0] == "Unreleased" or parts[0] == particlespy_ml.__version__


def test_the_oldest_packages_are_the_lower_bounds():
    """Others, on which these depend, may be held down too."""
    lines = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines()
    pinned = {
        name.lower(): Version(version) for name, version in (line.split("==") for line in lines if line[0] != "#")
    }
    bounds = {}
    for requirement in requirements():
        lower = [part.version for part in requirement.specifier if part.operator == ">="]
        if lower:
            bounds[requirement.name.lower()] = Version(lower[0])
    assert {name: version for name, version in pinned.items() if name in bounds} == bounds


def test_scipy_is_bounded_below_the_one_without_odr():
    """Which atomap imports."""
    (scipy,) = [requirement for requirement in requirements() if requirement.name == "scipy"]
    assert scipy.specifier.contains("1.18.5") and not scipy.specifier.contains("1.19.0")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_is_there(path):
    """Every job has steps, and the files that they name exist; no registry is named."""
    text = path.read_text(encoding="utf-8")
    for job in yaml.safe_load(text)["jobs"].values():
        assert job["runs-on"] and job["steps"]
    for name in re.findall(r"constraints[\w-]*\.txt|\.ci/\w+\.py|tests/\w+\.py", text):
        assert (ROOT / name).is_file(), name
    assert "://" not in text and "index-url" not in text


def test_every_version_of_python_that_is_promised_is_tested():
    promised = set(re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"]))
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))["jobs"]
    assert {entry["python"] for entry in jobs["tests"]["strategy"]["matrix"]["include"]} == promised
    assert f">={min(promised, key=Version)}" == SETUP["options"]["python_requires"]


def conda_recipe() -> dict:
    return yaml.safe_load((ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8"))


def as_conda(requirement: Requirement) -> str:
    bounds = ",".join(sorted(map(str, requirement.specifier), reverse=True))
    return f"{CONDA_NAMES.get(requirement.name, requirement.name)} {bounds}"


def test_the_recipe_for_conda_asks_for_the_same_packages():
    recipe = conda_recipe()
    lines = [line for line in SETUP["options"]["install_requires"].splitlines() if line.strip() and line[0] != "#"]
    python, *others = recipe["requirements"]["run"]
    assert sorted(others) == sorted(as_conda(Requirement(line)) for line in lines)
    assert python == "python >=${{ python_min }}"
    assert f">={recipe['context']['python_min']}" == SETUP["options"]["python_requires"]
    extras = {one.name: one for one in requirements()}
    for line in recipe["requirements"]["run_constraints"]:
        assert line == as_conda(extras[line.split()[0]])


def test_the_recipe_for_conda_is_of_this_package():
    recipe = conda_recipe()
    assert recipe["context"]["version"] == particlespy_ml.__version__
    assert recipe["context"]["name"] == SETUP["metadata"]["name"]
    assert recipe["about"]["summary"] == SETUP["metadata"]["description"]
    assert recipe["about"]["license"] == SETUP["metadata"]["license_expression"]
    assert (ROOT / recipe["about"]["license_file"]).is_file()
    scripts = SETUP["options.entry_points"]["console_scripts"].split("\n")
    entries = [re.sub(r"\s*=\s*", " = ", line.strip()) for line in scripts if line.strip()]
    assert recipe["build"]["python"]["entry_points"] == entries
    assert recipe["build"]["noarch"] == "python"


def test_the_written_recipe_has_the_hash_of_the_sdist(tmp_path):
    import hashlib
    import importlib.util

    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    release = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(release)
    sdist = tmp_path / "particlespy_ml-1.2.3.tar.gz"
    sdist.write_bytes(b"gold")
    for url in (None, "https://example.org/particlespy_ml-1.2.3.tar.gz"):
        release.write_recipe(sdist, tmp_path, url)
        recipe = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
        assert recipe["context"]["version"] == "1.2.3"
        assert recipe["source"]["sha256"] == hashlib.sha256(b"gold").hexdigest()
        assert recipe["source"].get("url") == url and ("path" in recipe["source"]) == (url is None)


def test_the_row_for_the_list_of_extensions_has_every_signal():
    text = (ROOT / "packaging" / "hyperspy-extensions-list.md").read_text(encoding="utf-8")
    extension = yaml.safe_load((ROOT / "particlespy_ml" / "hyperspy_extension.yaml").read_text(encoding="utf-8"))
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if line[:1] == "|"}
    for name, entry in extension["signals"].items():
        if not entry["lazy"]:
            aliases = ", ".join(entry.get("signal_type_aliases", []))
            assert (entry["signal_type"], aliases, name, "particlespy_ml") in rows
    assert f"    | {SETUP['metadata']['name']} |" in text and f"\n    {SETUP['metadata']['name']}\n" in text


def test_the_extras_of_make_are_there():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = {name for names in re.findall(r"'\.\[([\w,]+)\]'", text) for name in names.split(",")}
    assert {"docs", "release"} <= extras <= set(SETUP["options.extras_require"])
