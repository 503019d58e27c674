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

MODULES = {entry.name: entry.module for entry in catalogue()}
STUDIES = ("quickstart", "jin2022/yours", "bartoldson/section2", "yang2023/collapse", "atinit/compare")
SMALL = {"benchmark": "digits", "parts": ["fig3", "fig4"], "levels": 1, "replicates": 1}


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


def test_measures_of_a_network_trained_in_bfloat16_are_those_of_float32(tmp_path):
    study, store = built("jin2022/column", SMALL | {"precision": "bfloat16"}), Store(tmp_path)
    results = ensure(study.nodes, store=store)
    run = next(run for run in recipes(study) if run.interventions and run.task.data.label_noise)
    low, state = run.task.load(run.seeds), store.load(ps.final(run))
    params = {name: tensor.double() for name, tensor in state.weights.params.items()}
    hidden = low.test.x.double().flatten(1)
    for number, (name, weight) in enumerate((name, p) for name, p in params.items() if name.endswith("weight")):
        hidden = (hidden.relu() if number else hidden) @ weight.T + params[name.replace("weight", "bias")]
    wanted = torch.nn.functional.cross_entropy(hidden, low.test.y).item()
    found = float(results[next(n for n in study.nodes if n.id == reading_of(run).id)]["loss"])
    assert found == pytest.approx(wanted, rel=1e-5)  # products in bfloat16 are right to two or three digits
    assert any(not np.array_equal(p, p.bfloat16().float()) for p in state.weights.params.values())


def reading_of(run):
    return ps.Reading(measure=ps.Risk(split="test"), state=ps.final(run))
