"""Rooms whose names load when they are asked for."""

from __future__ import annotations

import sys
from types import ModuleType

import lazy_loader


class _Room(ModuleType):
    """A package in which a public function stands before the file of the same name."""

    def __setattr__(self, name: str, value) -> None:
        # the import system sets every submodule as an attribute of its package
        if not (isinstance(value, ModuleType) and name in self.__dict__.get("__all__", ())):
            super().__setattr__(name, value)


def attach_room(name: str, file: str):
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package whose names its stub lists.

    Parameters
    ----------
    name, file
        ``__name__`` and ``__file__`` of the package.

    Examples
    --------
    >>> from particlespy_ml import counting
    >>> import particlespy_ml.counting.count_atoms
    >>> callable(counting.count_atoms)
    True
    """
    sys.modules[name].__class__ = _Room
    return lazy_loader.attach_stub(name, file)
