"""The precision of training is a setting of every study; what is measured stays in float32."""

import numpy as np
import pytest
import torch

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.papers.catalogue import catalogue
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.studies.load import find
from prunescope.studies.precision import in_precision

MODULES = {entry.name: entry.module for entry in catalogue()}
STUDIES = ("quickstart", "jin2022/yours", "bartoldson/section2", "yang2023/collapse", "atinit/compare")


def built(name, changes=()):
    return find(name, MODULES).build("smoke", dict(changes))


def recipes(study):
    return [node for node in closure(study.nodes).values() if isinstance(node, Recipe)]


@pytest.mark.parametrize("name", [name for name in STUDIES if name in MODULES])
def test_every_run_of_a_study_is_trained_in_it_and_the_default_changes_nothing(name):
    plain, same, low = (built(name, changes) for changes in ({}, {"precision": "float32"}, {"precision": "bfloat16"}))
    assert [run.id for run in recipes(plain)] == [run.id for run in recipes(same)]
    assert plain.settings == same.settings != low.settings
    assert {run.precision for run in recipes(plain)} == {"float32"}
    assert {run.precision for run in recipes(low)} == {"bfloat16"}
    assert len(recipes(low)) == len(recipes(plain)) and len(low.nodes) == len(plain.nodes)
    assert "trained in bfloat16" in low.scale


def test_another_word_is_refused_with_what_is_permitted():
    with pytest.raises(UsageError, match=r"precision.*(float32|bfloat16)"):
        built("quickstart", {"precision": "half"})


@pytest.mark.slow
def test_measures_of_a_network_trained_in_bfloat16_are_those_of_float32(tmp_path):
    base = ps.Recipe(
        task=ps.Task(
            network=ps.network("prunescope.tasks.nets:LeNet", inputs=64, hidden=(16,)), data=ps.Data(source=ps.digits())
        ),
        optimizer=ps.SGD(),
        schedule=ps.Constant(lr=0.1),
        batch=64,
        length="1ep",
    )
    risk, examples = (ps.Reading(measure=measure, state=ps.final(base)) for measure in (ps.Risk(), ps.Examples()))
    quantity = ps.column([risk], "loss")
    claim = ps.Claim("low", "It is low.", quantity, ps.Direction("less"), place="here")
    rows = ps.Rows(
        {"part": "all"}, {"loss": ps.arrays([examples], "loss")}, parts={"example": np.arange(base.train_examples)}
    )
    figure = ps.Figure("f", "t", caption="c", rows=[rows], plot=ps.Lines("example", "loss", series="part"))
    study = in_precision(ps.Study("s", "q?", settings=base, claims=(claim,), figures=(figure,)), "bfloat16")
    store = Store(tmp_path)
    results = ensure(study.nodes, store=store)
    (run,) = recipes(study)
    params = {name: p.double() for name, p in store.weights(run.id, ps.final(run).moment.id).params.items()}
    problem = run.task.load(run.seeds, run.task.data.source.load())

    def losses(split):
        x, y = split.batch(torch.arange(len(split)))
        hidden = x.double().flatten(1) @ params["fc1.weight"].T + params["fc1.bias"]
        logits = hidden.relu() @ params["fc.weight"].T + params["fc.bias"]
        return torch.nn.functional.cross_entropy(logits, y, reduction="none").numpy()

    # Products in bfloat16 would be right to two or three digits.
    assert study.claims[0].quantity(results) == pytest.approx(losses(problem.test).mean(), rel=1e-5)
    shown = [row["loss"] for row in study.figures[0].table(results)]
    np.testing.assert_allclose(shown, losses(problem.train), rtol=1e-4, atol=1e-5)
