"""The study of digits that is timed is what its docstring says, and turns are taken forth and back."""

from collections import Counter

import pytest
from benchmarks.digits import NOISE, bench, readings
from benchmarks.subprocess import ensured
from benchmarks.timing import in_turns

from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe


def runs(nodes):
    return [node for node in closure(nodes).values() if isinstance(node, Recipe)]


def test_the_part_is_one_noisy_replicate_of_full_length():
    found = runs(readings(bench("laptop")))
    assert len(found) == 1 + 21 + 21 + 12
    assert {run.task.data.label_noise for run in found} == {NOISE}
    assert {run.length for run in found} == {"60ep"} and len({run.seeds for run in found}) == 1


def test_turns_go_forth_and_back():
    order = []

    def contestant(name):
        return lambda: order.append(name) or float(len(order))

    seconds = in_turns({name: contestant(name) for name in "ab"}, turns=3)
    assert order == list("abbaab")
    assert {name: found.tolist() for name, found in seconds.items()} == {"a": [1, 4, 5], "b": [2, 3, 6]}


@pytest.mark.slow
def test_a_command_is_timed_in_a_process_of_its_own(capfd):
    nodes = readings(bench("smoke"))
    assert Counter(type(node).__name__ for node in nodes) == {"Reading": len(nodes)}
    assert 0 < ensured(nodes, engine="loop", stack=1) < 300
    with pytest.raises(EOFError):
        ensured(nodes, engine="no such engine")
    assert "no such engine" in capfd.readouterr().err
