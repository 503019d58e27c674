"""Question: how long until a command or a notebook can begin?"""

import subprocess
import sys

import numpy as np

from benchmarks.laboratory import Laboratory
from benchmarks.result import Result
from benchmarks.timing import interleaved

IMPORT = """
import time, torch
began = time.perf_counter()
import prunescope
imported = time.perf_counter()
for name in prunescope.__all__:
    getattr(prunescope, name)
print(imported - began, time.perf_counter() - began)
"""
LIST = "import sys; sys.argv = ['prunescope', 'list']; from prunescope.cli import main; main()"


def startup(lab: Laboratory) -> list[Result]:
    """Fresh processes, with the files in the operating system's cache.

    `import torch` is not counted. Public names are loaded when they are first used; the second row uses all of them.
    """
    beyond: list[list[float]] = []
    seconds = interleaved(
        {
            "nothing": lambda: python("pass"),
            "import": lambda: beyond.append([float(word) for word in python(IMPORT).split()]),
            "list": lambda: python(LIST),
        },
        rounds=lab.scale.rounds,
    )
    imported, used = np.array(beyond[1:]).T
    return [
        Result("`import prunescope` beyond `import torch`", imported, "s", high=0.2),
        Result("the same, and every public name used", used, "s"),
        Result("`prunescope list`", seconds["list"], "s", high=1.5),
        Result("of it: Python itself", seconds["nothing"], "s"),
    ]


def python(code: str) -> str:
    """What a fresh Python process prints; raises CalledProcessError, with its errors shown, when it fails."""
    return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
