"""Options that a function passes on, spelled out in its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def spelled_out(options: type, without: tuple[str, ...] = ()) -> Callable:
    """Return a decorator that shows the keys of a ``TypedDict`` as keywords where a function takes ``**options``.

    Parameters
    ----------
    options
        The ``TypedDict``; its keys are shown with None, which stands for what the method itself takes.
    without
        Keys that the function takes for something else.

    Examples
    --------
    >>> import inspect
    >>> from typing import TypedDict
    >>> from particlespy_ml.core.options import spelled_out
    >>> class Options(TypedDict, total=False):
    ...     split: bool
    >>> @spelled_out(Options)
    ... def segment(signal, **options): ...
    >>> str(inspect.signature(segment))
    "(signal, *, split: 'bool | None' = None)"
    """

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)
        own = [value for value in signature.parameters.values() if value.kind is not inspect.Parameter.VAR_KEYWORD]
        added = []
        for name, kind in options.__annotations__.items():
            if name not in without:
                text = getattr(kind, "__forward_arg__", getattr(kind, "__name__", str(kind)))
                text = text if "None" in text else f"{text} | None"
                added.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=text))
        function.__signature__ = signature.replace(parameters=[*own, *added])
        return function

    return decorate
