"""Question: what do convolutional networks gain in one program on a CPU?"""

from collections.abc import Callable

import numpy as np

from benchmarks.convolution import CASES, Case
from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Result
from benchmarks.stack import advancing
from benchmarks.timing import interleaved
from prunescope.base.streams import replicate
from prunescope.runs.machine.pack_sizes import GAIN
from prunescope.training.engines.engine import Engine, Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack
from prunescope.training.engines.stacked.forward import Method

SIZES = (1, 4)
METHODS: tuple[Method, ...] = ("layers", "vmap")
CHOSEN = "by itself, lean, chosen"
NETS: dict[str, Case] = {
    "ResNet-20": CASES["ResNet-20"],
    "VGG11 at a quarter of its width": Case("VGG", {"depth": 11, "scale": 0.25}, {"scale": 0.05}, batch=64, steps=4),
}


def convolutional_stack(lab: Laboratory) -> list[Result]:
    """A training step of one replica in a program of R, in milliseconds, on one core: ResNet-20 and a narrow VGG11.

    At batch 128 and 64, dense, float32. loop: the reference, one replica after another; lean: in place, with the
    fastest products, likewise, which is what `run` chooses for them: on a CPU it packs nothing that takes
    longer than 20 ms a step by itself, and nothing whose place in a program costs more than half of that. layers: the
    network with its layers replaced, convolutions grouped; vmap: the network under vmap.
    """
    rows = []
    for name, case in NETS.items():
        rows += _rows(lab, name, case)
    return rows


def _rows(lab: Laboratory, name: str, case: Case) -> list[Result]:
    full = lab.scale is FULL
    recipe, sizes = case.recipe(full=full), SIZES if full else (1, 2)

    def work(engine: Engine, size: int) -> Callable[[], object]:
        return advancing(lab, [recipe.replace(seeds=replicate(k)) for k in range(size)], engine, case.steps)

    programs = {
        f"{method}, R = {size}": work(Stack(size=size, method=method), size) for method in METHODS for size in sizes
    }
    alone = {"by itself, loop": work(Loop(), 1), CHOSEN: work(InPlace(), 1)}
    taken = interleaved({**alone, **programs}, rounds=lab.scale.rounds)
    members = {key: int(key.rpartition(" ")[2]) for key in programs}
    millis = {key: 1000 * values / case.steps / members.get(key, 1) for key, values in taken.items()}
    together = [millis[key] for key in programs if members[key] == sizes[-1]]
    best = min(together, key=lambda values: float(np.median(values)))
    return [
        *(Result(f"{name}: {key}", values, "ms") for key, values in millis.items()),
        Result(f"{name}: a place among {sizes[-1]} : {CHOSEN}", best / millis[CHOSEN], "times", low=GAIN),
    ]
