"""Examples that come from code of the user's: what raises, draws, streams, or takes others each time."""

import random
from pathlib import Path

import pytest
import torch
from tests.tasks.data.examples import Pairs, X, Y
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    default_collate,
)

from prunescope.base.errors import UsageError
from prunescope.tasks.data.tensors import own


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("size", [4, 5])
def test_labels_of_a_loader_may_be_texts(size):
    rows = [(x, f"class {int(y)}") for x, y in zip(X, Y, strict=True)]
    source, *_ = own(DataLoader(rows, batch_size=size), DataLoader(rows, batch_size=size))
    assert torch.equal(source.load().train_y, Y) and source.class_names == ("class 0", "class 1", "class 2")


def test_a_dataset_that_raises_in_the_middle_names_the_example_and_the_users_line():
    with pytest.raises(UsageError) as caught:
        own(Pairs(broken=7), (X, Y))
    text = str(caught.value)
    assert "train: example 7 cannot be read: KeyError: 'no such file'" in text
    assert "examples.py, line " in text and 'raise KeyError("no such file")' in text and "Traceback" not in text
    with pytest.raises(UsageError, match="test: example 7 cannot be read"):
        own((X, Y), DataLoader(Pairs(broken=7), batch_size=5))


class Endless(Pairs):
    def __len__(self):
        raise RuntimeError("no index yet")


def test_any_other_error_of_a_dataset_shows_the_users_line():
    with pytest.raises(
        UsageError,
        match=r"test: len\(\): RuntimeError: no index yet \(.*test_users_datasets.py, line \d+: raise Runtime",
    ):
        own((X, Y), Endless())


class Noisy(Pairs):
    def __getitem__(self, place):
        return self.x[place] + torch.randn(4) * (place % 2), int(self.y[place])


def mixed(pairs):
    x = torch.stack([x for x, _ in pairs])
    return x + torch.rand(()) * x.flip(0), torch.tensor([y for _, y in pairs])


class Stream(IterableDataset):
    def __init__(self, noise):
        self.noise = noise

    def __iter__(self):
        return ((x + self.noise * torch.randn(4), y) for x, y in zip(X, Y, strict=True))


class OneBuffer(Pairs):
    row = torch.zeros(4)

    def __getitem__(self, place):
        return self.row.copy_(self.x[place]), int(self.y[place])


def test_a_dataset_that_writes_into_what_it_returned_is_refused():
    with pytest.raises(UsageError, match="example 0 is another one after the last was read"):
        own(OneBuffer(), (X, Y))


def test_streams_are_read_once_and_seen_twice():
    assert own(Stream(0), DataLoader(Stream(0), batch_size=5)).source == own((X, Y), (X, Y)).source
    assert own(iter(Stream(0)), (X, Y)).source == own((X, Y), (X, Y)).source
    with pytest.raises(UsageError, match="what Stream yields is another one each time"):
        own(Stream(1), (X, Y))


class Rarely(Pairs):
    def __getitem__(self, place):
        return self.x[place] + (random.random() < 0.02), int(self.y[place])


def seldom_mixed(pairs):
    return mixed(pairs) if random.random() < 0.3 else default_collate(pairs)


@pytest.mark.parametrize(
    "data",
    [
        Rarely(X.repeat(100, 1), Y.repeat(100)),
        DataLoader(Pairs(X.repeat(20, 1), Y.repeat(20)), batch_size=4, collate_fn=seldom_mixed),
    ],
)
def test_what_is_drawn_seldom_is_found_because_generators_move(data):
    random.seed(5)
    with pytest.raises(UsageError, match="drawn at random; it is read only once"):
        own(data, (X, Y))


def padded(pairs):
    return torch.nn.utils.rnn.pad_sequence([x for x, _ in pairs], True), torch.tensor([y for _, y in pairs])


def test_what_a_loader_pads_in_each_batch_has_one_length():
    rows = [(torch.arange(1, 2 + place % 5), int(y)) for place, y in enumerate(Y)]
    loader, whole = DataLoader(rows, batch_size=2, collate_fn=padded), padded(rows)
    assert own(loader, whole).source == own(whole, whole).source
    with pytest.raises(UsageError, match="train: collate_fn: RuntimeError: stack expects each tensor to be equal size"):
        own(DataLoader(rows, batch_size=2), whole)


def centred(pairs):
    x, y = default_collate(pairs)
    return x - x.mean(0), y


def sorted_by_label(pairs):
    return default_collate(sorted(pairs, key=lambda pair: -pair[1]))


@pytest.mark.parametrize("collate", [centred, sorted_by_label])
def test_batches_of_examples_that_depend_on_each_other_are_refused(collate):
    with pytest.raises(UsageError, match="what collate_fn makes of example 0 depends on the others of its batch"):
        own(DataLoader(Pairs(), batch_size=4, collate_fn=collate), (X, Y))


@pytest.mark.parametrize("data", [Noisy(), DataLoader(Noisy()), DataLoader(Pairs(), batch_size=4, collate_fn=mixed)])
def test_examples_that_are_drawn_at_random_are_refused_because_they_are_read_once(data):
    with pytest.raises(UsageError, match="drawn at random; it is read only once"):
        own(data, (X, Y))


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ({"sampler": SubsetRandomSampler([7, 1, 5])}, [1, 5, 7]),
        ({"sampler": [7, 1, 5]}, [7, 1, 5]),
        ({"batch_sampler": [[5, 1], [7]]}, [5, 1, 7]),
    ],
    ids=["drawn", "in order", "batches"],
)
def test_of_a_loader_with_a_sampler_the_examples_that_it_takes_are_read_in_its_order_if_it_has_one(more, taken):
    arrays = own((X, Y), DataLoader(Pairs(broken=2), **more)).source.load()
    assert torch.equal(arrays.test_x.take(torch.arange(3)), X[taken]) and arrays.test_y.tolist() == Y[taken].tolist()


@pytest.mark.parametrize("sampler", [WeightedRandomSampler([1.0] * 12, 12), RandomSampler(X, num_samples=5)])
def test_a_sampler_that_draws_again_or_others_is_refused_with_that_of_a_recipe(sampler):
    with pytest.raises(UsageError, match=r"takes examples more than once, or other ones .* sampler=ps\.Balanced"):
        own(DataLoader(Pairs(), sampler=sampler), (X, Y))


def test_reading_that_takes_long_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr("prunescope.tasks.data.reading.SECONDS", -1.0)
    own(Pairs(), (X, Y))
    text = capsys.readouterr().err
    assert "reading train: 3 of 12" in text and "reading train: 12, done" in text


def test_sparse_examples_are_refused_whatever_holds_them():
    rows = [(x.to_sparse(), int(y)) for x, y in zip(X, Y, strict=True)]
    for data in (rows, DataLoader(rows, batch_size=None)):
        with pytest.raises(UsageError, match=r"give dense real numbers, e.g. x.to_dense\(\)"):
            own(data, (X, Y))
