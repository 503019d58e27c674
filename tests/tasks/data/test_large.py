"""Data that are larger than memory: read where they are used, or refused with their size and the fix."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data import conversion, library
from prunescope.tasks.data.tables import file_source
from prunescope.tasks.data.tensors import own
from prunescope.tasks.targets import Classes


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))


@pytest.fixture
def small(monkeypatch):
    """A machine with 1,000 bytes."""
    monkeypatch.setattr(conversion, "free_here", lambda: 1000)


def folder_of(tmp_path, count=40, dtype=np.float32):
    place = tmp_path / "mine"
    place.mkdir()
    draws = np.random.default_rng(0)
    for split, size in (("train", count), ("test", 10)):
        np.save(place / f"{split}_x.npy", draws.normal(size=(size, 6)).astype(dtype))
        np.save(place / f"{split}_y.npy", np.arange(size) % 3)
    return place


def test_arrays_on_a_disk_stay_there(tmp_path, small):
    place = folder_of(tmp_path)
    source, layout = file_source(str(place), Classes())
    pair = [
        tuple(np.load(place / f"{split}_{part}.npy", mmap_mode="r") for part in "xy") for split in ("train", "test")
    ]
    assert layout is None and source == own(*pair).source, "memory of 1,000 bytes suffices"
    loaded = source.load().train_x
    assert torch.equal(loaded.tensor, torch.from_numpy(np.load(place / "train_x.npy")))
    (stored,) = [path for path in (tmp_path / "data" / "arrays").glob("*.npy") if np.load(path).shape == (40, 6)]
    assert str(stored) in Path("/proc/self/maps").read_text(), "the tensor is the file"
    before = stored.read_bytes()
    loaded.tensor.zero_()
    assert stored.read_bytes() == before, "nobody can write into the library"


def test_what_has_to_be_in_memory_and_does_not_fit_is_refused(tmp_path, small):
    place = folder_of(tmp_path, count=60, dtype=np.float64)
    with pytest.raises(UsageError, match=r"train x takes 0.0 GB in memory, and .* are free; write it as float32"):
        file_source(str(place), Classes())
    x, y = torch.randn(40, 6), torch.arange(40) % 3
    rows = torch.utils.data.TensorDataset(x, y)
    with pytest.raises(UsageError, match=r"^train takes .* mmap_mode='r'"):
        own(rows, (x[:4], y[:4]))
    with pytest.raises(UsageError, match=r"^train takes"):
        own(torch.utils.data.DataLoader(rows, batch_size=5), (x[:4], y[:4]))
    np.savez(tmp_path / "mine.npz", train_x=x, train_y=y, test_x=x[:5], test_y=y[:5])
    with pytest.raises(UsageError, match=r"mine.npz takes"):
        file_source(str(tmp_path / "mine.npz"), Classes())
    table = {"a": list(range(100)), "y": [row % 2 for row in range(100)], "split": ["train", "test"] * 50}
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=r"t.parquet takes"):
        file_source(str(tmp_path / "t.parquet"), Classes())


def test_a_damaged_array_and_a_missing_one_are_told(tmp_path):
    place = folder_of(tmp_path)
    (place / "test_y.npy").unlink()
    with pytest.raises(UsageError, match=r"mine has test_x, train_x, train_y; it needs"):
        file_source(str(place), Classes())
    (place / "test_y.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"an array of .*mine cannot be read"):
        file_source(str(place), Classes())


def test_stored_arrays_are_held_against_their_digest_once_and_again_when_they_changed(tmp_path, monkeypatch):
    source = own(None, (torch.randn(20, 6), torch.arange(20) % 3)).source
    source.load()
    digests = []
    with monkeypatch.context() as patched:
        patched.setattr("prunescope.tasks.data.source.array_digest", lambda *arrays: digests.append(1))
        assert torch.equal(source.load().test_y, torch.arange(20) % 3) and not digests
    (array,) = (path for path in library.folder().rglob("*.npy") if np.load(path).ndim == 2)
    np.save(array, np.load(array) + 1)
    with pytest.raises(DataError, match="they are not what was given"):
        source.load()


@pytest.mark.slow
def test_training_on_more_than_is_ever_in_memory(tmp_path):
    """600 MB on the disk, of which a process that names, checks, keeps and trains on them never holds 200 MB."""
    program = f"""
    import threading, time, numpy as np, torch, prunescope as ps
    x = np.lib.format.open_memmap({str(tmp_path / "x.npy")!r}, mode="w+", dtype=np.float32, shape=(6000, 25_000))
    for start in range(0, 6000, 500):
        x[start:start + 500] = np.random.default_rng(start).normal(size=(500, 25_000))
    del x
    held = lambda: int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0]) / 1024
    ps.Task, ps.ensure, ps.SGD, ps.Constant, ps.Recipe
    before, peak = held(), []
    def watch():
        while True:
            peak.append(held())
            time.sleep(0.005)
    threading.Thread(target=watch, daemon=True).start()
    x, y = np.load({str(tmp_path / "x.npy")!r}, mmap_mode="r"), np.arange(6000) % 3
    net = lambda: torch.nn.Sequential(torch.nn.Linear(25_000, 3))
    task = ps.Task.from_module(net, train=(x, y), test=(x[:9], y[:9]))
    run = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.01), batch=32, length="4it")
    step = float(ps.ensure(run, store={str(tmp_path / "store")!r}, workers=1)[run]["step"])
    print(step, max(peak) - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    step, megabytes = map(float, done.stdout.split())
    assert step == 4 and megabytes < 200
