"""Signatures that say what is passed on."""

from __future__ import annotations

import inspect
from typing import TypedDict

import particlespy_ml as pml
from particlespy_ml.core.options import spelled_out
from particlespy_ml.segmentation.options import SegmentationOptions


class Options(TypedDict, total=False):
    size: float | str
    name: str | None


def test_keys_become_keywords():
    @spelled_out(Options, without=("name",))
    def function(signal, name: str, **options):
        return name, options

    assert str(inspect.signature(function)) == "(signal, name: 'str', *, size: 'float | str | None' = None)"
    assert function(0, "a", size=3) == ("a", {"size": 3})


def test_verbs_show_every_option():
    image = pml.data.gold_on_carbon()
    for verb in (image.segment_particles, image.measure_particles, image.classify_particles):
        parameters = inspect.signature(verb).parameters
        assert set(SegmentationOptions.__annotations__) <= set(parameters)
        assert not any(value.kind is inspect.Parameter.VAR_KEYWORD for value in parameters.values())


def test_none_is_what_the_method_takes_itself():
    image = pml.data.gold_on_carbon()
    nothing = dict.fromkeys(SegmentationOptions.__annotations__)
    assert (image.segment_particles(**nothing).data == image.segment_particles().data).all()
