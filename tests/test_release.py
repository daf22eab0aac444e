"""What a release must agree on: one version, the versions of Python, and the oldest packages that are tested."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import particlespy_ml

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
