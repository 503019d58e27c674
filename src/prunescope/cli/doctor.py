"""The command `doctor`: what this machine has, what will be fast on it, and what is missing."""

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from prunescope.cli import options
from prunescope.cli.screen import answers, size, table

EXTRAS = {
    "numba": ("fast", "loops for sparse layers, compiled for this processor"),
    "PIL": ("images", "folders of pictures"),
    "torch_pruning": ("dev", "networks from which filters were taken out"),
}
"""Modules that may be missing: the extra that installs each, and what it is for."""
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def doctor(folder: options.StoreFolder = options.STORE, as_json: options.AsJson = False) -> None:
    """Say what this machine has, what will be fast on it, and what is missing.

    Example: `prunescope doctor`
    """
    facts = list(_facts(folder))
    console = answers()
    if as_json:
        console.print_json(json.dumps([dict(zip(("what", "value", "means"), fact, strict=True)) for fact in facts]))
        return
    rows = table("what", "here", "which means")
    for fact in facts:
        rows.add_row(*(Text(cell) for cell in fact))
    console.print(rows)


def _facts(folder: str) -> Iterator[tuple[str, str, str]]:
    """What is looked at, what was found, and what follows from it."""
    yield from _machine()
    yield from _torch()
    for module, (extra, purpose) in EXTRAS.items():
        if importlib.util.find_spec(module):
            yield module, "yes", purpose
        else:
            yield module, "no", f"pip install 'prunescope[{extra}]': {purpose}"
    yield _store(folder)
    yield from _data()


def _machine() -> Iterator[tuple[str, str, str]]:
    from prunescope.base.free_memory import free_here
    from prunescope.runs.machine.devices import has_bfloat16, instructions, processor

    yield "processor", processor(), ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield "cores", str(cores), f"{cores} runs at a time, one thread each"
    flags = instructions()
    fast = "bfloat16 has instructions of its own" if has_bfloat16() else "bfloat16 is emulated, slower than float32"
    yield "instructions", " ".join(flag for flag in _FLAGS if flag in flags) or "unknown", fast
    yield "free memory", size(free_here()), "programs of several runs may fill 40 % of it"


def _torch() -> Iterator[tuple[str, str, str]]:
    import torch

    yield "torch", torch.__version__, f"built for {'CUDA ' + torch.version.cuda if torch.version.cuda else 'CPUs'}"
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))
        yield "GPU", names, "--device cuda; this code has never run on one"
    else:
        yield "GPU", "none", "everything runs on the CPU"


def _store(folder: str) -> tuple[str, str, str]:
    from prunescope.base.errors import StoreError
    from prunescope.runs.store.storage import is_url
    from prunescope.runs.store.store import Store

    if not is_url(folder) and not Path(folder).expanduser().exists():
        return "store", folder, "not there yet; the first run makes it"
    try:
        runs = sum(1 for _ in Store(folder).run_ids())
    except StoreError as problem:
        return "store", folder, str(problem)
    writable = is_url(folder) or os.access(Path(folder).expanduser(), os.W_OK)
    return "store", folder, f"{runs} runs" if writable else f"{runs} runs; it cannot be written"


def _data() -> Iterator[tuple[str, str, str]]:
    from prunescope.tasks.data.files import DATASETS, folder, present

    yield "data folder", str(folder()), "PRUNESCOPE_DATA changes it"
    for name, dataset in DATASETS.items():
        found = len(present(name))
        missing = f"`prunescope data get {name}` downloads it" if found < len(dataset.files) else ""
        yield name, f"{found} of {len(dataset.files)} files", missing
