"""The reference: a page for every public function and class, of their docstrings."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

import particlespy_ml as pml

PACKAGE = pml.__name__
SIGNALS = {
    "ParticleImage": "particlespy_ml.signals.particle_image",
    "HAADFImage": "particlespy_ml.signals.haadf",
    "HRTEMImage": "particlespy_ml.signals.hrtem",
    "ParticleTable": "particlespy_ml.signals.particle_table",
    "ColumnTable": "particlespy_ml.signals.column_table",
}


def rooms() -> dict[str, ModuleType]:
    """Return the rooms that a user may type, by name."""
    found = {name: getattr(pml, name) for name in pml.__all__}
    return {name: thing for name, thing in found.items() if inspect.ismodule(thing)}


def names() -> dict[str, object]:
    """Return every public function and class by the shortest name that a user may type."""
    found: dict[str, object] = {}
    known = set()
    places = [(PACKAGE, pml), *((f"{PACKAGE}.{name}", room) for name, room in rooms().items())]
    for place, module in places:
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not inspect.ismodule(thing) and id(thing) not in known:
                known.add(id(thing))
                found[f"{place}.{name}"] = thing
    return found


def first_line(thing) -> str:
    """Return the first paragraph of a docstring in one line; of a constant, what it holds."""
    if isinstance(thing, dict):
        return "Holds " + ", ".join(f"``{key}``" for key in thing) + "."
    text = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(text.split())


def methods(cls: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties of a class that are this package's own."""
    for name in dir(cls):
        owner = next((one for one in cls.__mro__ if name in one.__dict__), type(cls))  # or of its metaclass
        if not name.startswith("_") and owner.__module__.startswith(PACKAGE):
            yield name, inspect.getattr_static(cls, name)


def heading(text: str, line: str = "=") -> list[str]:
    """Return a heading of reStructuredText."""
    return [text, line * len(text), ""]


def listing(rows: list[tuple[str, str]]) -> list[str]:
    """Return a table of two columns."""
    lines = [".. list-table::", "   :widths: 30 70", ""]
    for left, right in rows:
        lines += [f"   * - {left}", f"     - {right}"]
    return [*lines, ""]


def link(name: str, shown: str | None = None) -> str:
    """Return a link to the page of a function or class."""
    return f":doc:`{shown or name.removeprefix(PACKAGE + '.')} <{name}>`"


def page_of(name: str, thing) -> str:
    """Return the page of a function, a class or a constant."""
    lines = heading(name.removeprefix(f"{PACKAGE}."))
    if inspect.isclass(thing):
        members = ", ".join(member for member, _ in methods(thing))
        lines += [f".. autoclass:: {name}", *([f"   :members: {members}"] if members else []), ""]
    elif callable(thing):
        lines += [f".. autofunction:: {name}", ""]
    else:
        lines += [f".. py:data:: {name}", "", f"   {first_line(thing)}", ""]
    return "\n".join(lines)


def page_of_signal(name: str, documented: dict[int, str]) -> str:
    """Return the page of a signal; methods that are functions with pages of their own link there.

    Parameters
    ----------
    name
        Name of the class.
    documented
        Name under which a function has a page, by its id; what this page documents is added.
    """
    place = SIGNALS[name]
    cls = getattr(importlib.import_module(place), name)
    full = f"{place}.{name}"
    lines = [*heading(name), f".. autoclass:: {full}", "   :no-members:", ""]
    rows, own = [], []
    for method, thing in methods(cls):
        function = getattr(thing, "__func__", thing)
        known = documented.get(id(function))
        if known is None:
            documented[id(function)] = f"#{full}.{method}"
            own.append((method, thing))
            shown = f":py:obj:`{method} <{full}.{method}>`"
        elif known.startswith("#"):
            shown = f":py:obj:`{method} <{known[1:]}>`"
        else:
            shown = link(known, method)
        rows.append((shown, first_line(thing.fget if isinstance(thing, property) else function)))
    lines += [*heading("Methods", "-"), *listing(rows)]
    for method, thing in own:
        lines += [f".. auto{'property' if isinstance(thing, property) else 'method'}:: {full}.{method}", ""]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Return all pages of the reference, by name without ending."""
    public = names()
    documented = {id(thing): name for name, thing in public.items()}
    made = {name: page_of(name, thing) for name, thing in public.items()}
    made |= {name: page_of_signal(name, documented) for name in SIGNALS}
    top = [name for name in public if name.count(".") == 1]
    lines = [
        *heading("Reference"),
        "``import particlespy_ml as pml``. What takes a signal or a table first is a method of it too.",
        "",
        *heading("Functions", "-"),
        *listing([(link(name), first_line(public[name])) for name in sorted(top, key=str.lower)]),
        *heading("Signals", "-"),
        *listing(
            [(f":doc:`{name}`", first_line(getattr(importlib.import_module(at), name))) for name, at in SIGNALS.items()]
        ),
        *heading("Rooms", "-"),
        *listing([(f":doc:`{name}`", first_line(room)) for name, room in rooms().items()]),
    ]
    for name, room in rooms().items():
        inside = [getattr(room, one) for one in getattr(room, "__all__", ())]
        rows = [(link(documented[id(one)]), first_line(one)) for one in inside]
        made[name] = "\n".join([*heading(name), first_line(room), "", *(listing(rows) if rows else [])])
    hidden = [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in [*SIGNALS, *rooms()]), ""]
    rest = [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in sorted(public, key=str.lower)), ""]
    made["index"] = "\n".join([*lines, *hidden, *rest])
    return made
