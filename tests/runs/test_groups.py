"""Columns of one's own: groups of examples reach a measure, and change no id of a run."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prunescope.base.errors import DataError, UsageError
from prunescope.base.reference import FINAL
from prunescope.measures import GroupRisk
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

X = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 3
SITES = np.array(["York", "Bath", "Hull"])[torch.arange(40).numpy() % 7 % 3]
AGES = torch.arange(30) // 3


class Net(nn.Linear):
    def __init__(self):
        super().__init__(5, 3)


def task(**groups):
    return Task.from_module(Net, train=(X, Y), test=(X[:30], Y[:30]), groups=groups, validation=16)


def run_of(made):
    return Recipe(task=made, optimizer=SGD(), schedule=Constant(lr=0.1), batch=16, length="2ep")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_group_has_its_error_and_its_loss(split, store):
    made = task(site=(SITES, SITES[:30]))
    run, measure = run_of(made), GroupRisk.of(made, "site", split=split)
    node = Reading(measure=measure, state=final(run))
    result = ensure(node, store=store, workers=1)[node]
    end = store.weights(run.id, FINAL.id).params
    z = F.linear(X.double(), end["weight"].double(), end["bias"].double())
    loss, wrong = F.cross_entropy(z, Y, reduction="none").numpy(), (z.argmax(1) != Y).numpy()
    problem = made.load(run.seeds, made.data.source.load())
    rows = problem.split(split).index.numpy()
    assert measure.names == ("Bath", "Hull", "York")
    for place, name in enumerate(measure.names):
        chosen = rows[SITES[rows] == name]
        assert float(result["examples"][place]) == len(chosen)
        assert float(result["error"][place]) == pytest.approx(wrong[chosen].mean())
        assert float(result["loss"][place]) == pytest.approx(loss[chosen].mean(), rel=1e-5)


def test_a_group_without_examples_is_not_a_number_instead_of_unharmed(store):
    made = task(site=(["only in training"] * 40, SITES[:30]))
    node = Reading(measure=GroupRisk.of(made, "site"), state=final(run_of(made)))
    result = ensure(node, store=store, workers=1)[node]
    assert result["examples"].tolist()[-1] == 0 and np.isnan(result["error"][-1]) and np.isnan(result["loss"][-1])


def test_groups_are_in_no_id_of_a_run_and_another_column_is_another_reading():
    plain, first = task(), task(site=(None, SITES[:30]))
    before = GroupRisk.of(first, "site")
    second = task(site=(None, SITES[30 - 1 :: -1]))
    assert run_of(plain).id == run_of(first).id == run_of(second).id
    assert GroupRisk.of(second, "site").id != before.id
    with pytest.raises(DataError, match="are others now than they were"):
        Reading(measure=before, state=final(run_of(first)))


def test_one_column_belongs_to_the_set_of_its_length_and_numbers_keep_their_order():
    measure = GroupRisk.of(task(age=AGES), "age")
    assert measure.names == tuple(str(age) for age in range(10)), "as texts 10 would stand before 2"
    assert GroupRisk.of(task(age=AGES + 5), "age").names[:6] == ("05", "06", "07", "08", "09", "10")


def test_what_is_absent_is_refused_with_what_there_is():
    made = task(site=(None, SITES[:30]))
    with pytest.raises(UsageError, match=r"no groups 'age'; there are site\. Give arrays train_age and test_age"):
        GroupRisk.of(made, "age")
    with pytest.raises(UsageError, match="were given for test only; give them for train"):
        Reading(measure=GroupRisk.of(made, "site", split="train"), state=final(run_of(made)))
    other = Task.from_module(Net, train=(X, Y), test=(X[:20], Y[:20]))
    with pytest.raises(UsageError, match="belong to other data"):
        Reading(measure=GroupRisk.of(made, "site"), state=final(run_of(other)))
