"""Label noise and subsets against counting."""

from collections import Counter

import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.tasks.data.corruption import balanced_subset, flip_labels, hold_out


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("fraction", "n"), [(0.0, 100), (0.15, 100), (0.6, 37), (0.999, 1000)])
def test_exactly_the_asked_number_of_labels_is_wrong(fraction: float, n: int) -> None:
    y = torch.arange(n) % 7
    before = y.clone()
    noisy = flip_labels(y, fraction, classes=7, generator=seeded(1))
    assert sum(a != b for a, b in zip(y.tolist(), noisy.tolist(), strict=True)) == round(fraction * n)
    assert torch.equal(y, before) and noisy.dtype == torch.int64
    assert set(noisy.tolist()) <= set(range(7))


def test_new_labels_are_uniform_over_the_other_classes_and_positions_uniform() -> None:
    y = torch.full((40_000,), 2)
    noisy = flip_labels(y, 0.5, classes=5, generator=seeded(3))
    counts = Counter(noisy[noisy != y].tolist())
    assert set(counts) == {0, 1, 3, 4}
    assert all(abs(count - 5000) < 5 * 5000**0.5 for count in counts.values())
    assert abs(int((noisy != y)[:20_000].sum()) - 10_000) < 500


def test_noise_is_decided_by_the_generator() -> None:
    y = torch.arange(50) % 3
    first, same, other = (flip_labels(y, 0.4, classes=3, generator=seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_outside_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match=r"\[0, 1\)"):
        flip_labels(torch.zeros(4, dtype=torch.int64), fraction, classes=2, generator=seeded(0))


def test_labels_and_classes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        flip_labels(torch.tensor([0, 2]), 0.5, classes=2, generator=seeded(0))
    with pytest.raises(UsageError, match="at least 2"):
        flip_labels(torch.tensor([0, 0]), 0.5, classes=1, generator=seeded(0))


def test_hold_out_is_a_sorted_random_partition() -> None:
    train, validation = hold_out(100, 30, seeded(0))
    assert sorted(train.tolist() + validation.tolist()) == list(range(100))
    assert (len(train), len(validation)) == (70, 30)
    assert train.tolist() == sorted(train.tolist()) and validation.tolist() == sorted(validation.tolist())
    assert not torch.equal(validation, hold_out(100, 30, seeded(1))[1])
    assert validation.max() > 50 and validation.min() < 50
    with pytest.raises(UsageError):
        hold_out(10, 10, seeded(0))


def test_balanced_subset_takes_the_same_number_of_each_class() -> None:
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    chosen = balanced_subset(y, 12, classes=3, generator=seeded(0))
    assert Counter(y[chosen].tolist()) == {0: 12, 1: 12, 2: 12} and len(set(chosen.tolist())) == 36
    with pytest.raises(UsageError, match="20"):
        balanced_subset(y, 21, classes=3, generator=seeded(0))
