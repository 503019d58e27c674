"""The logic of the benchmark of a GPU, on a CPU: every way is measured, and ratios are to what they say.

What only a GPU has, its peak memory, is left out there.
"""

import math

from benchmarks.gpu import KINDS, rows

from prunescope.runs.store import Store
from prunescope.runs.workbench import Workbench


def test_every_way_is_measured_against_the_plain_loop_and_the_reference(tmp_path):
    kind = KINDS["LeNet-300-100"].__class__("LeNet", {"hidden": (8,), "inputs": 16}, (1, 4, 4), 4, 16)
    found = {row.what: row for row in rows(Workbench(Store(tmp_path)), kind, (1, 3), 2, "float32", rounds=1)}
    assert not any("memory" in what for what in found)
    ways = ("DataLoader loop", "loop", "lean", "stack under vmap", "stack", "stack, recorded")
    for size in (1, 3):
        rates = {way: found[f"{way}, R = {size}"].median for way in ways}
        assert all(math.isfinite(rate) and rate > 0 for rate in rates.values())
        for way in ways[2:]:
            for base in ways[:2]:
                ratio = found[f"{way} : {base}, R = {size}"].median
                assert math.isclose(ratio, rates[way] / rates[base], rel_tol=1e-9)
