"""Power cuts: whatever was not synced is lost, and the same command goes on to the same bits."""

import os
import stat
from pathlib import Path

import pytest
from specimens import contents, study

from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store import lease
from prunescope.runs.store.store import Store

pytestmark = pytest.mark.slow


class Disk:
    """What of a folder outlives a power cut: contents of files and names in folders as of their last fsync.

    cuts: by the number of a call of fsync, what the disk holds before it: names are lost as well, or are there already
        (a file whose content is not is empty then).
    """

    def __init__(self, root: Path, at: list[int]) -> None:
        self.root, self.at, self.calls, self.sync = root, at, 0, os.fsync
        self.files: dict[int, bytes] = {}
        self.folders: dict[int, list[tuple[str, int, bool]]] = {}
        self.held: list[int] = []  # so that no number of a file is given twice
        self.cuts: list[tuple[dict[str, bytes], dict[str, bytes]]] = []

    def fsync(self, opened: int) -> None:
        if self.calls in self.at:
            self.cuts.append((self._synced(), self._named()))
        self.calls += 1
        self.held.append(os.dup(opened))
        facts = os.fstat(opened)
        if stat.S_ISDIR(facts.st_mode):
            self.folders[facts.st_ino] = [(one.name, one.inode(), one.is_dir()) for one in os.scandir(opened)]
        else:
            self.files[facts.st_ino] = Path(f"/proc/self/fd/{opened}").read_bytes()

    def _synced(self) -> dict[str, bytes]:
        found, pending = dict[str, bytes](), [("", self.root.stat().st_ino)]
        while pending:
            path, number = pending.pop()
            for name, inode, is_folder in self.folders.get(number, []):
                if is_folder:
                    pending.append((f"{path}{name}/", inode))
                else:
                    found[f"{path}{name}"] = self.files.get(inode, b"")
        return found

    def _named(self) -> dict[str, bytes]:
        paths = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.root)): self.files.get(path.stat().st_ino, b"") for path in paths}


def written(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_after_a_power_cut_the_bits_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.0)  # leases without a word of their holder
    root = tmp_path / "store"
    root.mkdir()
    disk = Disk(root, at=[*range(1, 12, 2), *range(12, 400, 23)])
    monkeypatch.setattr(os, "fsync", disk.fsync)
    ensure(study(), store=root, workers=1, checkpoint_seconds=0.0)
    monkeypatch.setattr(os, "fsync", disk.sync)
    for opened in disk.held:
        os.close(opened)
    assert len(disk.cuts) > 8 and any(name.startswith("runs/") for synced, _ in disk.cuts for name in synced)
    for number, cut in enumerate(disk.cuts):
        for kind, files in zip(("lost", "empty"), cut, strict=True):
            left = written(tmp_path / f"{number}-{kind}", files)
            stored = [run for run in Store(left).run_ids() if Store(left).manifest(run)]
            ensure(study(), store=left, workers=1)
            assert contents(left) == contents(root), (number, kind, stored)
