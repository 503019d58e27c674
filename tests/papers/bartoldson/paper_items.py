"""Items of the two papers by name, as small as they go: the studies at smoke scale, and what that scale leaves out."""

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from prunescope.papers.catalogue import catalogue
from prunescope.studies.study import Study

ENTRIES = {entry.name: entry for entry in catalogue() if entry.name.startswith("bartoldson")}
STUDIES = {name: entry.module for name, entry in ENTRIES.items() if "/" in name}
NARROW: Mapping[str, Any] = {"blobs": 10, "width": 0.0625, "replicates": 1}
BESIDE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Figure 2, ResNet18": ("bartoldson2020/fig2", {**NARROW, "networks": ("ResNet18",)}),
    "Figure B2, ResNet18": ("bartoldson2020/appB", {**NARROW, "networks": ("ResNet18",)}),
    "Table C1": ("bartoldson2020/appC", {**NARROW, "parts": ("C1",)}),
    "Figure C3": ("bartoldson2020/appC", {**NARROW, "parts": ("C3",), "compress": 12.0}),
    "Figure 4, ResNet18": ("bartoldson2020/fig4", {**NARROW, "networks": ("ResNet18",)}),
    # Narrower, none of its layers would have a tenth to lose.
    "Figure 4, ResNet56": ("bartoldson2020/fig4", {**NARROW, "networks": ("ResNet56",), "width": 0.25}),
}
"""What no smoke scale has: the study that it is in, and the settings with which it is there."""
FULL: Mapping[str, Mapping[str, Any]] = {
    "bartoldson2020/section2": {"keep": (0.1, 0.5)},
    "bartoldson2020/fig2": {"networks": ("VGG11", "ResNet18")},
    "bartoldson2020/fig3": {"periods": (4, 40, 100, 300)},
    "bartoldson2020/fig4": {"networks": ("ResNet18", "ResNet20", "ResNet56")},
    "bartoldson2020/fig6": {"replicates": 20},  # for an interval of a partial correlation
    "bartoldson2020/appB": {"networks": ("VGG11", "ResNet18")},
    "bartoldson2020/appC": {"parts": ("C1", "C2", "C3"), "periods": (4, 40, 100, 300)},
    "bartoldson2020/appF": {"compress": 400.0},  # some epochs after the last event
}
"""Settings with which a study at smoke scale makes all of its claims, and a world can decide them."""


@cache
def item(name: str, **changes: Any) -> Study:
    """A study at smoke scale, or what is beside it; made once, as tests of several files look at it."""
    study, settings = BESIDE.get(name, (name, {}))
    module = importlib.import_module(STUDIES[study])
    return module.build(module.SCALES["smoke"].replace(**{**settings, **changes}), "smoke")


def full(name: str) -> Study:
    """A study with all of its claims, four replicates each."""
    return item(name, **{"replicates": 4, **FULL.get(name, {})})
