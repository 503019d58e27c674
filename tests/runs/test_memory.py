"""How much memory a program may fill, where a machine or a container says how much there is."""

import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from prunescope.runs.machine import memory
from prunescope.runs.machine.devices import processor

GIB = 2**30


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB))
    return tmp_path


def test_without_a_limit_it_is_what_the_machine_has(root):
    assert memory.free_here(root) == 8 * GIB
    group = {"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/memory.max": "max\n"}
    write(root, group | {"sys/fs/cgroup/job/memory.current": "5"})
    assert memory.free_here(root) == 8 * GIB


@pytest.mark.parametrize(
    ("line", "folder", "limit", "used", "files"),
    [
        ("0::/a/job", "sys/fs/cgroup/a", "memory.max", "memory.current", "inactive_file"),
        ("0::/outside", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        (
            "4:memory:/a/job",
            "sys/fs/cgroup/memory/a",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
    ids=["the group above", "inside a container", "the first kind of groups"],
)
def test_a_limit_counts_wherever_it_is_set(root, line, folder, limit, used, files):
    write(root, {"proc/self/cgroup": f"7:pids:/other\n{line}\n"})
    stat = f"anon 1\n{files} {GIB}\n"
    write(root / folder, {limit: str(4 * GIB), used: str(2 * GIB), "memory.stat": stat})
    assert memory.free_here(root) == 3 * GIB  # what only holds files can be had


def test_a_worker_gets_its_part_of_a_share(monkeypatch):
    monkeypatch.setattr(memory, "free_here", lambda: 10 * GIB)
    assert memory.budget("cpu", 4) == GIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
def test_what_work_takes_is_watched():
    with memory.watched("cpu") as taken:
        kept = torch.ones(2**28 // 4)
    assert 0.8 * 2**28 < taken() < 2 * 2**28
    assert len(kept) == 2**26
    with memory.watched("cpu") as taken:
        kept.add_(1)
    assert taken() < 2**26  # what was held before does not count


@pytest.mark.parametrize(
    "problem",
    [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("CUDA error: out of memory")],
    ids=repr,
)
def test_how_it_is_said_that_memory_did_not_suffice(problem):
    assert memory.out_of_memory(problem)
    assert not memory.out_of_memory(RuntimeError("shapes do not match"))


def test_the_processor_has_a_name(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU @ 2 GHz\nflags : a b\n")
    assert processor(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    assert processor(tmp_path / "nothing")
