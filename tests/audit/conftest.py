import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for `files`, which a network's import path names

from files import baked, dense, examples, pruned

from prunescope.runs.given.states import Examples
from prunescope.runs.machine import pricing
from prunescope.runs.store.store import Store
from prunescope.tasks.data.tensors import tensors
from prunescope.tasks.task import Data


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pricing, "CALIBRATION_SECONDS", 0.0)
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def data() -> Examples:
    """What the networks of `files` are made for."""
    return Examples(Data(source=tensors(examples(60, 1), examples(40, 2))))


@pytest.fixture
def here(tmp_path):
    """A folder with what other libraries have written."""
    torch.save(dense().state_dict(), "dense.pt")
    torch.save(dense(seed=1).state_dict(), "twin.pt")
    torch.save(pruned(dense()).state_dict(), "half.pt")
    torch.save(baked(dense()).state_dict(), "same.pt")
    torch.save(dense(seed=5).state_dict(), "bad.pt")
    site = np.array(["north", "south"])[np.arange(40) % 2]
    train, test = examples(60, 1), examples(40, 2)
    arrays = {"train_x": train[0], "train_y": train[1], "test_x": test[0], "test_y": test[1]}
    np.savez("data.npz", **{name: leaf.numpy() for name, leaf in arrays.items()}, test_site=site)
    return tmp_path
