"""Examples that are there twice are counted as a loop over all pairs counts them."""

import pytest
import torch

import prunescope as ps
from prunescope.tasks.data.repeats import copied, leaked
from prunescope.tasks.data.tensors import own


def rows(count, seed, *shape):
    """Few different examples, so that many are equal, of 0.0, -0.0 and 1.0."""
    drawn = torch.randint(0, 3, (count, *shape), generator=torch.Generator().manual_seed(seed))
    return torch.tensor([0.0, -0.0, 1.0])[drawn]


def labels(count):
    return torch.arange(count) % 2


def pairs(first, second):
    """Of each of the first, which of the second are equal in every number."""
    return torch.stack([torch.stack([(one == other).all() for other in second]) for one in first])


KINDS = {
    "vectors": lambda x: x,
    "pictures": lambda x: x[:, None, None],
    "tokens": lambda x: x.long(),
    "parts": lambda x: {"ids": x.long()[:, :2], "x": x[:, 2:], "one": x.long()[:, 0]},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "seed"), [(3, 0), (6, 1), (9, 2)])
def test_they_are_those_of_a_loop(kind, width, seed):
    train, test = rows(70, seed, width), rows(50, seed + 10, width)
    source = own((KINDS[kind](train), labels(70)), (KINDS[kind](test), labels(50))).source
    arrays = source.load()
    shared = int(pairs(test, train).any(1).sum())
    found = leaked(arrays.test_x, arrays.train_x, torch.arange(70))
    assert found.startswith(f"{shared} ({2 * shared} %) of 50 test examples are also") if shared else not found
    some = torch.arange(0, 70, 9)
    shared = int(pairs(test, train[some]).any(1).sum())
    found = leaked(arrays.test_x, arrays.train_x, some)
    assert found.startswith(f"{shared} ({2 * shared} %) of 50 test examples are also") if shared else not found
    repeated = int(pairs(train[some], train[some]).tril(-1).any(1).sum())
    found = copied(arrays.train_x, "training", some)
    assert found.startswith(f"{repeated} ({100 * repeated / 8:.3g} %) of 8 training") if repeated else not found
    same = pairs(test, test)
    earlier = int(same.tril(-1).any(1).sum())
    found = copied(arrays.test_x, "test")
    assert found.startswith(f"{earlier} ({2 * earlier} %) of 50 test examples repeat") if earlier else not found
    assert (f"about {(float(same.double().sum()) / 50) ** 0.5:.2f} times" in found) == bool(earlier)


def test_of_digits_nothing_is_said():
    arrays = ps.digits().load()
    assert (
        leaked(arrays.test_x, arrays.train_x, torch.arange(len(arrays.train_y))) == copied(arrays.test_x, "test") == ""
    )


def test_examples_that_are_nearly_equal_are_others():
    x = torch.rand(20, 4)
    arrays = own((x, labels(20)), (torch.nextafter(x, torch.tensor(9.0)), labels(20))).source.load()
    assert not leaked(arrays.test_x, arrays.train_x, torch.arange(20))
