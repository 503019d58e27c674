"""A network that settings name by import path: whose arguments it gets, where it is looked for, what a report shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prunescope.papers.bartoldson import yours as bartoldson
from prunescope.papers.jin2022 import yours as jin
from prunescope.studies.load import changed
from prunescope.studies.report import described

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
