"""In the null world nothing is treated: every treated network is a dense one under its own seed."""

import numpy as np
import pytest

import prunescope as ps
from prunescope.base.reference import Moment, StateRef
from prunescope.explain.study import SCALES, build
from prunescope.runs.graph.nodes import Chosen, Reading, closure
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies import Claim, Direction, Study, judge, judge_all
from prunescope.studies.null_world import null_world
from prunescope.studies.quantity import column
from prunescope.studies.region import TwoSided


def dense():
    network = ps.network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=16, classes=4)
    task = ps.Task(network=network, data=ps.Data(source=ps.synthetic(train=64, test=32), label_noise=0.2))
    return ps.replicates(
        ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=32, length="2ep"), 2
    )


def risk(run, moment=None):
    return Reading(measure=ps.Risk(), state=StateRef(run=run, moment=moment or Moment()))


def study_of(*rows):
    quantities = [column(list(map(risk, row)), "error") for row in rows]
    claims = [
        Claim(f"c{n}", "It is less.", quantity - quantities[0], Direction("less"))
        for n, quantity in enumerate(quantities[1:])
    ]
    return Study("s", "q?", settings=rows[0][0], claims=tuple(claims))


def recipes(study):
    return [node for node in closure(study.nodes).values() if isinstance(node, Recipe)]


TREATED = {
    "pruned": lambda run: ps.imp(run, levels=2)[-1],
    "longer": lambda run: ps.extended(run, levels=2)[-1],
    "pruned at the start": lambda run: ps.at_init(run, ps.Prune()),
    "narrower": lambda run: ps.with_network(run, scale=0.5),
    "on a subset": lambda run: run.replace(
        examples=Subset(
            source=Reading(measure=ps.Examples(split="train"), state=ps.final(run)),
            rule="prunescope.studies.subsets:only_where",
            args={"name": "correct", "is_true": True},
        )
    ),
}


@pytest.mark.parametrize("treat", TREATED.values(), ids=TREATED)
def test_a_treated_network_becomes_a_dense_one_of_its_own_seed(treat):
    runs = dense()
    study = null_world(study_of(runs, list(map(treat, runs))))
    found = recipes(study)
    assert len({run.id for run in found}) == 4 and set(runs) < set(found)
    for run in found:
        assert run.replace(seeds=runs[0].seeds) == runs[0]
        assert run.seeds.labels in (0, 1)  # the replicate's labels, and with them its pairing, stay
    assert len({run.seeds.init for run in found}) == 4


def test_choices_rewinds_and_moments_are_followed():
    run, _ = dense()
    chain = ps.imp(run, levels=1, retrain="weight")
    chosen = Chosen(among=tuple(chain), inputs=(risk(chain[-1], Moment(when="after")),), rule="m:f")
    study = Study("s", "q?", settings=run, claims=(Claim("c", "", column([risk(chosen)], "error"), Direction("less")),))
    nodes = closure(null_world(study).nodes).values()
    assert not any(node.interventions for node in nodes if isinstance(node, Recipe))
    assert {node.moment.when for node in nodes if isinstance(node, StateRef)} == {"final", "step"}


def test_what_depends_on_a_treatment_is_undecided_and_decided_without_the_null_world():
    runs = dense()
    treated = [ps.imp(run, levels=1)[-1] for run in runs]
    study = study_of(runs, treated)

    class World:
        """Treated networks err far less; all others by chance."""

        def __getitem__(self, node):
            run = node.state.run
            chance = np.random.default_rng(int(run.id, 16)).normal()
            return {"error": np.asarray(50.0 + chance - 30.0 * bool(run.interventions))}

        def __contains__(self, node):
            return True

    assert judge(study.claims[0], World()).interval_rule == "reproduced"
    assert judge(null_world(study).claims[0], World()).interval_rule == "inconclusive"


def test_the_null_world_of_an_explanation_really_runs_and_finds_nothing(tmp_path):
    study = null_world(build(SCALES["smoke"].replace(replicates=3), "smoke"))
    results = ps.ensure(study.nodes, store=tmp_path, workers=1)
    assert not any(run.interventions for run in recipes(study))
    assert {claim.region for claim in study.claims} == {TwoSided("less")}
    assert {judge(claim, results).interval_rule for claim in study.claims} == {"inconclusive"}
    assert "Pruning to 100 % of the weights" in study.head(results, judge_all(study.claims, results))
