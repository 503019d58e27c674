"""The study that one and two workers share is what its docstring says."""

from benchmarks.scaling import small_study

from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Fresh, Recipe


def test_the_study_has_chains_and_runs_apart():
    runs = [node for node in closure(small_study("laptop")).values() if isinstance(node, Recipe)]
    assert len(runs) == 220 and {run.length for run in runs} == {"10ep"}
    begun = [run for run in runs if isinstance(run.start, Fresh)]
    chained = len(runs) - len(begun)
    assert chained == 4 * (21 + 21)  # and the four dense networks that they begin with: 172 in eight chains
    assert len({run.task.network.id for run in begun}) == 1 + 12
