"""A training set cut to so many examples a class."""

import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.tasks.data.per_class import PerClass, per_class
from prunescope.tasks.data.synthetic import synthetic

BLOBS = synthetic(classes=4, shape=(3,), train=80, test=12)


def test_every_class_has_as_many_examples_and_the_test_set_stays():
    source = per_class(BLOBS, 5, classes=4, seed=1)
    cut, whole = source.load(), BLOBS.load()
    assert (source.train, source.test, len(cut.train_x)) == (20, 12, 20)
    assert torch.bincount(cut.train_y).tolist() == [5] * 4
    everything = whole.train_x.take(torch.arange(80))
    rows = [int((everything == one).all(1).nonzero()) for one in cut.train_x.take(torch.arange(20))]
    assert len(set(rows)) == 20 and torch.equal(whole.train_y[rows], cut.train_y)
    assert torch.equal(cut.test_y, whole.test_y)


def test_the_seed_chooses_the_examples_and_enters_the_id():
    first, second = (per_class(BLOBS, 5, classes=4, seed=seed) for seed in (1, 2))
    drawn = [source.load().train_x.take(torch.arange(20)) for source in (first, second, first)]
    assert first.id != second.id and torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_all_of_it_is_the_source_itself_and_more_is_refused():
    assert per_class(BLOBS, 20, classes=4) is BLOBS
    with pytest.raises(UsageError, match="at most 20"):
        per_class(BLOBS, 21, classes=4)
    with pytest.raises(UsageError, match="are 20, not 10"):
        per_class(BLOBS, 5, classes=2).load()
    with pytest.raises(UsageError, match="inner source"):
        PerClass(digest="0" * 32, train=20, test=12, inner=BLOBS, per_class=5)
