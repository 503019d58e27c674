import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for `files`, which a network's import path names

from files import baked, dense, examples, pruned

import prunescope as ps
from prunescope.audit.door import audit
from prunescope.runs.given.states import Examples
from prunescope.runs.store.store import Store
from prunescope.tasks.data.tensors import tensors
from prunescope.tasks.task import Data

SITE = np.array(["north", "south", "east", "west"])[np.arange(500) % 4]
SEX = np.arange(500) // 7 % 2


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def runs(kept):
    """Three dense networks of different seeds, and the first one pruned to 49, 83 and 97 %."""
    net = ps.network("prunescope.tasks.nets:LeNet", inputs=64, hidden=(24, 12))
    task = ps.Task(network=net, data=ps.Data(source=ps.digits()))
    base = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=64, length="6ep")
    dense = ps.replicates(base, 3)
    chain = ps.imp(dense[0], levels=9, prune=ps.Prune(amount=ps.Remaining(fraction=0.35)))
    ps.ensure(dense, chain, store=kept, workers=1)
    return [ps.final(run) for run in dense], [ps.final(chain[level]) for level in (2, 4, 9)]


@pytest.fixture(scope="session")
def report(runs, kept):
    dense, pruned = runs
    gate = {"max-loss": 30.0, "max-class-loss": 2.0, "max-disagreement": 1.0}
    series = dict(zip(("p50", "p80", "p97"), pruned, strict=True))
    groups = {"site": SITE, "sex": SEX}
    return audit(dense[0], series, twins=dense[1:], groups=groups, gate=gate, store=kept, why=100)


@pytest.fixture(scope="session")
def folder(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report.write(folder, command="prunescope audit ...")
    return folder


@pytest.fixture(scope="session")
def exported(folder):
    """The file of single examples, as anybody reads it."""
    return {
        name: np.array(values) for name, values in pq.read_table(folder / "tables/examples.parquet").to_pydict().items()
    }
