"""The catalogue and the studies say the same."""

import importlib
import pkgutil
import subprocess
import sys

from prunescope import papers
from prunescope.base.value import Value
from prunescope.cli.listing import settings_of
from prunescope.cli.orders import template_of
from prunescope.papers.catalogue import catalogue


def test_catalogue_equals_studies() -> None:
    names = [info.name for info in pkgutil.walk_packages(papers.__path__, "prunescope.papers.")]
    studies = {name for name in names if hasattr(importlib.import_module(name), "build")}
    assert studies == {entry.module for entry in catalogue()}


def test_scales_are_those_of_the_studies() -> None:
    for entry in catalogue():
        scales = importlib.import_module(entry.module).SCALES
        assert list(entry.scales) == list(scales), entry.name
        assert all(isinstance(settings, Value) for settings in scales.values())


def test_the_catalogue_asks_what_the_study_asks() -> None:
    quickstart = next(entry for entry in catalogue() if entry.name == "quickstart")
    module = importlib.import_module(quickstart.module)
    study = module.build(module.SCALES["smoke"], "smoke")
    assert (study.name, study.question) == (quickstart.name, quickstart.question)


def test_what_every_setting_of_a_study_is_can_be_read() -> None:
    template = template_of("jin2022/column")
    assert ("batch", "standard", "examples a step.") in settings_of(template.scales["laptop"])
    for entry in catalogue():
        for scale, settings in template_of(entry.name).scales.items():
            mute = [name for name, _, says in settings_of(settings) if not says and not name.endswith(".kind")]
            assert not mute, f"{entry.name} at scale {scale}: the docstring does not say what {mute} are"


def test_names_are_unique() -> None:
    assert len({entry.name for entry in catalogue()}) == len(catalogue())


def test_catalogue_does_not_load_torch() -> None:
    code = "import sys, prunescope.papers.catalogue; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
