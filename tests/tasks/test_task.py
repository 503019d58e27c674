"""A task as a value, and its splits in memory."""

import pytest
import torch
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds, replicate
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.losses import squared_error
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task

SOURCE = synthetic(classes=4, shape=(6,), train=200, test=40)
ARRAYS = SOURCE.load()


def task(**data):
    net = network("prunescope.tasks.nets:LeNet", hidden=[3], inputs=6, classes=4)
    return Task(network=net, data=Data(source=SOURCE, **data))


def load(seeds=Seeds(), **data):  # noqa: B008
    return task(**data).load(seeds, ARRAYS)


@pytest.mark.parametrize(("noise", "used", "flipped"), [(0.0, 200, 0), (0.15, 200, 30), (0.5, 120, 60)])
def test_exactly_the_asked_share_of_labels_is_wrong(noise, used, flipped):
    problem = load(label_noise=noise, share=used / 200)
    train = problem.train
    assert len(train) == used and int(train.noisy.sum()) == flipped
    assert torch.equal(train.clean, ARRAYS.train_y[train.index])
    assert not problem.test.noisy.any() and torch.equal(problem.test.y, ARRAYS.test_y)


def test_noise_belongs_to_the_replicate_and_the_hold_out_to_none():
    one, same, other = (load(replicate(k), label_noise=0.3, validation=50) for k in (0, 0, 1))
    assert torch.equal(one.train.y, same.train.y) and not torch.equal(one.train.noisy, other.train.noisy)
    assert torch.equal(one.validation.index, other.validation.index)
    moved = load(Seeds(data=1), validation=50)
    assert not torch.equal(one.validation.index, moved.validation.index)
    for seeds in (Seeds(init=1), Seeds(order=1), Seeds(mask=1)):
        assert torch.equal(load(seeds, label_noise=0.3, validation=50).train.y, one.train.y)


def test_validation_is_disjoint_clean_and_left_alone_by_the_share():
    whole, part = load(validation=50, label_noise=0.4), load(validation=50, share=0.1)
    assert sorted([*whole.train.index.tolist(), *whole.validation.index.tolist()]) == list(range(200))
    assert torch.equal(whole.validation.index, part.validation.index)
    assert len(part.train) == 15 and set(part.train.index.tolist()) <= set(whole.train.index.tolist())
    assert not whole.validation.noisy.any()


def test_rows_of_a_split_are_the_sources_examples():
    train = load(validation=50).train
    rows = torch.tensor([7, 0, 7])
    x, y = train.batch(rows)
    expected = torch.stack([ARRAYS.train_x.take(train.index[row : row + 1])[0] for row in (7, 0, 7)])
    assert torch.equal(x, expected) and torch.equal(y, train.y[rows])
    batches = list(train.batches(64))
    assert [len(labels) for _, labels in batches] == [64, 64, 22]
    assert torch.equal(torch.cat([labels for _, labels in batches]), train.y)
    assert torch.equal(torch.cat([images for images, _ in batches]), train.batch(torch.arange(150))[0])


def test_a_restricted_problem_has_those_rows_with_their_labels():
    problem = load(label_noise=0.3)
    rows = torch.tensor([5, 3, 100])
    few = problem.restricted(rows)
    assert torch.equal(few.train.index, problem.train.index[rows])
    assert torch.equal(few.train.noisy, problem.train.noisy[rows])
    assert len(few.test) == 40 and len(problem.train) == 200


def test_splits_are_asked_for_by_name():
    problem = load()
    assert problem.split("train") is problem.train and problem.split("test") is problem.test
    with pytest.raises(UsageError, match="one of train, validation, test"):
        problem.split("tests")
    with pytest.raises(UsageError, match="set validation=N"):
        problem.split("validation")


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.1}, {"label_noise": 1.0}, {"validation": -1}])
def test_impossible_data_are_refused_where_they_enter(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        task(**wrong)


def test_holding_out_everything_is_refused():
    with pytest.raises(UsageError, match="holds out all 200"):
        task(validation=200)


class Mine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(x)


def test_a_users_module_and_tensors_make_a_task(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    x, y = torch.randn(30, 6), torch.arange(30) % 3
    loss = "prunescope.tasks.losses:squared_error"
    made = Task.from_module(Mine, train=(x, y), test=(x[:9], y[:9]), validation=6, loss=loss)
    assert made == Task.from_module(Mine, train=(x, y), test=(x[:9], y[:9]), validation=6, loss=loss)
    assert made != Task.from_module(Mine, train=(x + 1, y), test=(x[:9], y[:9]), validation=6, loss=loss)
    problem = made.load(Seeds(), made.data.source.load())
    assert (len(problem.train), len(problem.validation), len(problem.test)) == (24, 6, 9)
    assert problem.classes == 3 and problem.loss is squared_error
    assert torch.equal(problem.test.batch(torch.arange(9))[0], x[:9])


def test_every_part_enters_the_id():
    base = task()
    others = [task(label_noise=0.1), task(validation=1), task(share=0.5), base.replace(loss="a:b")]
    others.append(base.replace(network=base.network.with_args(hidden=[4])))
    assert len({value.id for value in [base, *others]}) == 6


def test_a_device_holds_the_examples_once():
    """Another device than this one that every machine has: torch's own for shapes alone."""
    source = synthetic(train=40, test=8)
    task = Task(network=network("prunescope.tasks.nets:LeNet", inputs=16), data=Data(source=source, validation=10))
    arrays = source.load()
    there = arrays.inputs_on("meta")
    moved = [task.load(Seeds(labels=k), arrays).to("meta", there) for k in range(2)]
    for problem in (*moved, task.load(Seeds(), arrays).to("meta")):
        assert {split.y.device.type for split in (problem.train, problem.validation, problem.test)} == {"meta"}
        assert problem.train.inputs is problem.pool.inputs is problem.validation.inputs
    assert moved[0].train.inputs is moved[1].train.inputs is there.train_x
    assert moved[0].test.inputs is moved[1].test.inputs is there.test_x
