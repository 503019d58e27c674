"""A network that settings name by import path: whose arguments it gets, where it is looked for, what a report shows."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.cli.orders import template_of
from prunescope.papers.bartoldson import yours as bartoldson
from prunescope.papers.jin2022 import yours as jin
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.unit_search import find_units
from prunescope.studies.load import changed
from prunescope.studies.summary import described
from prunescope.tasks.nets import LeNet
from prunescope.tasks.task import Task
from prunescope.training.interventions import LayerSchedule
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=6):
        super().__init__(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
"""
ANOTHER = "torch.nn:Identity"


@pytest.mark.parametrize("settings", [jin.SCALES["smoke"], bartoldson.SCALES["smoke"], jin.Settings()])
def test_another_network_gets_no_arguments_of_the_default_one(settings):
    assert settings.arguments["inputs"] == 64
    assert changed(settings, {"network": ANOTHER}).arguments == {}
    assert changed(settings, {"network": ANOTHER, "arguments": {"width": 3}}).arguments == {"width": 3}
    assert changed(settings, {"epochs": 3}).arguments == settings.arguments
    assert jin.Settings(network=ANOTHER).arguments == {}


def test_another_network_gets_its_own_layers_pruned_and_not_those_of_the_default_one():
    another = {"network": "prunescope.tasks.nets.perceptrons:LeNet", "arguments": {"inputs": 64, "hidden": [12, 8]}}
    settings = changed(bartoldson.SCALES["smoke"], another)
    assert [schedule.layer for schedule in settings.layers] == ["*"]
    study = bartoldson.build(settings, "smoke")
    (cut,) = {run.interventions[-1].canonical: run.interventions[-1] for run in pruned(study)}.values()
    structure = find_units(pruned(study)[0].task.network.build(), torch.randn(2, 1, 8, 8))
    assert [schedule.layer for schedule in cut.layers] == list(structure.units) and len(cut.layers) > 1
    assert {schedule.fraction for schedule in cut.layers} == {settings.layers[0].fraction}
    with pytest.raises(UsageError, match="no layer has units that can be removed"):
        linear = {"network": "torch.nn:Linear", "arguments": {"in_features": 8, "out_features": 10}}
        bartoldson.build(changed(settings, linear), "smoke")


@pytest.mark.parametrize("change", [{}, {"network": ANOTHER}])
def test_pruning_keeps_its_share_of_a_longer_or_shorter_training(change):
    usual = bartoldson.Settings()
    short = changed(usual, {"epochs": 5, **change})
    assert {(one.start, one.end, one.period) for one in short.layers} == {("0.5ep", "3.5ep", "1ep")}
    assert changed(short, {"epochs": 40}).layers == changed(usual, change).layers
    own = [{"layer": "*", "start": "1ep", "end": "2ep", "fraction": 0.1, "period": "1ep"}]
    assert changed(usual, {"epochs": 5, "layers": own, **change}).layers[0].end == "2ep"


def test_fewer_test_examples_than_flatness_asks_for_are_said():
    x, y = torch.randn(60, 5), torch.arange(60) % 3
    for tests, sentences in (
        (48, ["Flatness is measured on all 48 test examples that there are; 256 were asked for."]),
        (256, []),
    ):
        data = {"train": (x, y), "test": (torch.randn(tests, 5), torch.arange(tests) % 3)}
        task = Task.from_module(partial(LeNet, inputs=5, classes=3, hidden=(8,)), **data)
        recipe = Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=20, length="4ep")
        layer = LayerSchedule(layer="*", start="1ep", end="2ep", fraction=0.5, period="1ep")
        study = bartoldson.follow(recipe, [layer], replicates=2)
        assert [note for note in study.notes if "Flatness" in note] == sentences


def pruned(study):
    runs = [node for node in closure(study.nodes).values() if isinstance(node, Recipe) and node.interventions]
    return [run for run in runs if run.interventions[-1].target == "smallest"]


def test_optimizer_and_schedule_are_among_the_settings_of_a_report():
    shown = described(changed(jin.SCALES["smoke"], {"optimizer": {"momentum": 0.5}}))
    assert shown["optimizer"]["kind"] == "SGD" and shown["optimizer"]["momentum"] == 0.5
    assert shown["schedule"] == {"kind": "Constant", "lr": 0.1}
    assert json.dumps(shown)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_of_the_readme_finds_a_module_in_the_current_folder(tmp_path, workers):
    (tmp_path / "my_module.py").write_text(NET)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    source = str(Path(jin.__file__).parents[3])
    script = f"import sys; sys.path.insert(1, {source!r}); sys.path[0] = '/'; from prunescope.cli import main; main()"
    command = [sys.executable, "-c", script, "run", "jin2022/yours", "--scale", "smoke"]
    command += ["-s", "network=my_module:Net", "-s", "noises=[0]", "-s", "levels=1", "-s", "share=0.1"]
    command += ["--workers", str(workers)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (page,) = (tmp_path / "prunescope-reports/jin2022").glob("yours-*/summary.json")
    assert json.loads(page.read_text())["settings"]["network"] == "my_module:Net"


@pytest.mark.parametrize("name", ["quickstart", "jin2022/fig3", "jin2022/yours", "bartoldson2020/yours"])
def test_what_a_report_says_of_its_settings_builds_the_study_again(name):
    template = template_of(name)
    study = template.build("smoke", {"replicates": 3, "precision": "bfloat16"})
    again = template.again("smoke", json.loads(json.dumps(described(study.settings))))
    assert again.settings == study.settings and described(again.settings)["replicates"] == 3
    assert [nodes.id for nodes in again.nodes] == [nodes.id for nodes in study.nodes]
