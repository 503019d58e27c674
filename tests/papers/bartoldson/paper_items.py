"""Items of the two papers by name, as small as they go: the studies at smoke scale, and what that scale leaves out."""

import importlib
from collections.abc import Mapping
from typing import Any

from prunescope.papers.bartoldson2019.catalogue import STUDIES as OLD
from prunescope.papers.bartoldson2020.catalogue import STUDIES as NEW
from prunescope.studies.study import Study

STUDIES = {entry.name: entry.module for entry in (*OLD, *NEW) if "/" in entry.name}
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


def item(name: str, **changes: Any) -> Study:
    """A study at smoke scale, or what is beside it."""
    study, settings = BESIDE.get(name, (name, {}))
    module = importlib.import_module(STUDIES[study])
    return module.build(module.SCALES["smoke"].replace(**{**settings, **changes}), "smoke")
