"""Quantities: their numbers, their nodes, their units; and what figures and studies make of them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from prunescope.base.errors import StoreError, TooFewReplicates, UsageError
from prunescope.measures import Risk
from prunescope.runs.graph.families import final, replicates
from prunescope.runs.graph.nodes import Chosen, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies import (
    Claim,
    Computed,
    Direction,
    Figure,
    Lines,
    Precondition,
    Quantity,
    Rows,
    Study,
    arrays,
    column,
    combined,
    constant,
    judge,
    side_by_side,
)
from prunescope.studies.quantity import Estimated, each
from prunescope.studies.selection import optimal
from prunescope.tasks.data.digits import digits
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


@dataclass(frozen=True)
class Node:
    id: str


class Stored:
    def __init__(self, **values):
        self.values = values

    def __contains__(self, node):
        return node.id in self.values

    def __getitem__(self, node):
        if node not in self:
            raise StoreError(f"{node.id} was not computed")
        return {name: np.asarray(value) for name, value in self.values[node.id].items()}


A, B, C, D, E = (Node(name) for name in "abcde")
CURVE = {"error": 0.7, "curve": [1.0, 2.0]}
RESULTS = Stored(a={"error": 0.1}, b={"error": 0.2}, c={"error": 0.4}, d=CURVE, e=CURVE)
LONGER = column([C, D], "error", scale=100, label="extended", unit="points")
PRUNED = column([A, B], "error", scale=100, label="pruned", unit="points")
PLOT = Lines("x", "y", series="arm")


def test_a_difference_is_paired_and_knows_label_unit_and_nodes():
    gap = LONGER - PRUNED
    assert gap(RESULTS).tolist() == pytest.approx([30.0, 50.0])
    assert gap.nodes == (C, D, A, B)
    assert gap.described == "points, extended minus pruned"
    assert (-gap)(RESULTS).tolist() == pytest.approx([-30.0, -50.0])


def test_units_are_never_mixed():
    nats = column([A, B], "loss", unit="nats")
    with pytest.raises(UsageError, match="'points' and 'nats'"):
        LONGER - nats
    with pytest.raises(UsageError, match="do not go side by side"):
        side_by_side([LONGER, nats])


def test_every_node_stands_once_however_often_it_is_used():
    both = side_by_side([LONGER - PRUNED, PRUNED - LONGER], "both ways")
    assert both.nodes == (C, D, A, B)
    np.testing.assert_allclose(both(RESULTS), [[30, -30], [50, -50]])
    assert combined(np.hypot, PRUNED, PRUNED).nodes == (A, B)


def test_map_keeps_or_changes_label_and_unit():
    mean = both = side_by_side([LONGER, PRUNED]).map(lambda v: v.mean(axis=1), unit="mean points")
    assert (mean.unit, both.label, mean(RESULTS).tolist()) == ("mean points", "", pytest.approx([25.0, 45.0]))


def test_a_column_refuses_unknown_names_and_arrays():
    with pytest.raises(UsageError, match="it has error"):
        column([A], "loss")(RESULTS)
    with pytest.raises(UsageError, match=r"shape \(2,\)"):
        column([D], "curve")(RESULTS)
    results = Stored(a={"curve": [1.0]}, d={"curve": [1.0, 2.0]})
    with pytest.raises(UsageError, match="do not line up"):
        arrays([A, D], "curve")(results)


def rows_of(*parts, results):
    return Figure("f", "F", caption="", rows=parts, plot=PLOT).table(results)


def test_rows_are_one_a_replicate_and_part():
    curves = Rows({"arm": "dense"}, {"y": arrays([D, E], "curve")}, parts={"x": [10, 20]})
    assert rows_of(curves, results=RESULTS) == [
        {"arm": "dense", "replicate": r, "x": x, "y": y} for r in (0, 1) for x, y in ((10, 1.0), (20, 2.0))
    ]
    point = Rows({"arm": "pruned", "x": 5}, {"y": PRUNED})
    assert [row["y"] for row in rows_of(point, results=RESULTS)] == pytest.approx([10.0, 20.0])


def test_a_missing_run_leaves_a_gap_and_no_wrong_choice():
    results = Stored(a={"error": 0.1}, c={"error": 0.4})
    chain = side_by_side([PRUNED, LONGER]).map(lambda v: v.T)
    best = chain.map(lambda errors: np.arange(2) == optimal(errors))
    rows = rows_of(Rows({"arm": "pruned", "x": 1}, {"y": PRUNED, "chosen": best}), results=results)
    assert rows == [{"arm": "pruned", "x": 1, "replicate": 0, "y": pytest.approx(10.0)}]
    with pytest.raises(TooFewReplicates):
        optimal(np.array([[1.0, np.nan], [2.0, 2.0]]))
    holes = Rows({"arm": "a"}, {"y": arrays([D, Node("gone")], "curve")}, parts={"x": [1, 2]})
    assert [(row["replicate"], row["y"]) for row in rows_of(holes, results=RESULTS)] == [(0, 1.0), (0, 2.0)]
    assert rows_of(Rows({"arm": "a"}, {"y": column([Node("gone")], "error")}), results=RESULTS) == []


def test_a_claim_without_its_results_is_not_run_where_a_figure_shows_a_gap():
    assert judge(Claim("gap", "says", LONGER - PRUNED, Direction("less")), Stored()).paper == "not run"


def test_columns_of_one_row_have_the_same_replicates():
    with pytest.raises(UsageError, match="differ in replicates or parts"):
        rows_of(Rows({"arm": "a"}, {"x": constant(1.0, replicates=3), "y": PRUNED}), results=RESULTS)


def test_a_study_computes_what_its_claims_preconditions_cautions_and_figures_are_made_of():
    fits = Precondition("fits", column([B], "error"), at_most=1.0)
    claim = Claim("low", "It is low.", column([A, C], "error"), Direction("less"), preconditions=(fits,))
    shown = Claim("lower", "It is lower.", PRUNED, Direction("less"))
    figure = Figure("f", "F", caption="", rows=[Computed([C], lambda results: [])], plot=PLOT, claims=(shown,))
    caution = Precondition("holds", column([D], "error"), at_most=1.0)
    study = Study("s", "?", settings=SGD(), figures=(figure,), claims=(claim,), cautions=(caution,))
    assert study.nodes == (A, B, C, D)
    assert study.claims == (shown, claim)
    assert len(repr(study)) < 100


RECIPE = Recipe(
    task=Task(network=network("prunescope.tasks.nets:LeNet", inputs=64), data=Data(source=digits())),
    optimizer=SGD(),
    schedule=Constant(lr=0.1),
    batch=64,
    length="1ep",
)


def test_lineage_names_the_runs_of_every_series_also_those_among_which_one_is_chosen():
    first, second, third = replicates(RECIPE, 3)
    risk = [Reading(measure=Risk(split="test"), state=final(run)) for run in (first, second)]
    choice = Chosen(among=(second, third), inputs=tuple(risk), rule="prunescope.studies.selection:choose_optimal")
    of_choice = Reading(measure=Risk(split="test"), state=final(choice))
    rows = [
        Rows({"arm": "dense", "x": 1}, {"y": column(risk[:1], "error")}),
        Rows({"arm": "chosen", "x": 1}, {"y": column([of_choice], "error")}),
        Rows({"arm": "constant", "x": 1}, {"y": constant(1.0)}),
    ]
    lineage = Figure("f", "F", caption="", rows=rows, plot=PLOT).lineage
    assert list(lineage) == ["dense", "chosen"]
    assert lineage["dense"] == (first,)
    assert {run.id for run in lineage["chosen"]} == {first.id, second.id, third.id}


def test_quantities_are_values_that_can_be_renamed():
    assert replace(PRUNED, label="ours").described == PRUNED.named(label="ours").described == "points, ours"
    assert isinstance(constant(0.5, replicates=2), Quantity)


def test_other_numbers_of_replicates_do_not_go_together_and_one_number_for_all_does():
    three = column([A, B, C], "error")
    with pytest.raises(UsageError, match="quantities of 2 and 3 replicates are not paired"):
        side_by_side([three, column([A, D], "error")])(RESULTS)
    assert combined(np.add, three, constant(1.0))(RESULTS).tolist() == [1.1, 1.2, 1.4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: column([A, B, A], "error"), "replicates 1 and 3 are one and the same result"),
        (lambda: each(lambda one, other: 0.0, [A, A], [B, B]), "one and the same result"),
        (lambda: each(lambda one, other: 0.0, [A], [B, C]), r"lists of \[1, 2\] nodes"),
        (lambda: arrays([A], "eror")(RESULTS), "it has error"),
        (lambda: PRUNED - 3, "3 is no quantity"),
        (lambda: combined(np.add, PRUNED, 3), "3 is no quantity"),
        (lambda: Precondition("fits", Estimated("", "", (), lambda results: None), at_least=0), "is no quantity"),
        (lambda: side_by_side([side_by_side([LONGER, PRUNED])] * 2)(RESULTS), "one number a replicate"),
        (lambda: Rows({"arm": "a", "y": 1}, {"y": PRUNED}), "two columns of a row would be called 'y'"),
        (lambda: Rows({"replicate": 1}, {"y": PRUNED}), "called 'replicate'"),
        (lambda: Rows({"arm": "a"}, {"y": arrays([D], "curve")}, {"x": [1, 2, 3]}).table(RESULTS), "parts of {'x': 3}"),
        (lambda: Rows({"arm": "a"}, {"y": PRUNED}, {"x": [1, 2]}).table(RESULTS), "leave parts= out"),
    ],
)
def test_what_would_count_twice_or_cover_another_number_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_one_number_stands_beside_those_of_all_replicates():
    assert side_by_side([PRUNED, constant(50.0, unit="points")])(RESULTS) == pytest.approx(
        np.array([[10, 50], [20, 50]])
    )


def test_a_precondition_that_nothing_was_measured_of_does_not_hold():
    fits = Precondition("it fits", column([], "error"), at_most=1.0)
    verdict = judge(Claim("c", "says", PRUNED, Direction("less"), preconditions=(fits,)), RESULTS)
    assert (verdict.said, "measured nothing" in verdict.why) == ("not judgeable at this scale", True)
