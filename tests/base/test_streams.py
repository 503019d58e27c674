"""Randomness is named, and nothing else decides it."""

import itertools

import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds, derived, replicate, stream


def draw(*name):
    return torch.rand(8, generator=stream(*name)).tolist()


def test_a_draw_depends_on_its_name_alone():
    first = draw(0, "order", 3)
    torch.rand(5)
    for _ in range(3):
        draw(0, "order", 2)
    assert draw(0, "order", 3) == first


def test_different_names_draw_differently():
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, "a", "1"), (0, "a", 1, 0), (0, 1, "a"), (0, "a1")]
    drawn = [draw(*name) for name in names]
    assert all(one != other for one, other in itertools.combinations(drawn, 2))


def test_streams_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    draw(0, "x")
    assert torch.equal(torch.get_rng_state(), before)


def test_neighboring_seeds_are_uncorrelated():
    left = torch.cat([torch.randn(2000, generator=stream(seed, "w")) for seed in range(10)])
    right = torch.cat([torch.randn(2000, generator=stream(seed + 1, "w")) for seed in range(10)])
    assert abs(float(torch.corrcoef(torch.stack([left, right]))[0, 1])) < 5 / 20_000**0.5
    assert abs(float(left.mean())) < 5 / 20_000**0.5


def test_a_derived_seed_is_what_the_stream_is_seeded_with():
    seed = derived(5, "x", 7)
    assert 0 <= seed < 2**63
    same = torch.rand(8, generator=torch.Generator().manual_seed(seed)).tolist()
    assert same == draw(5, "x", 7)


def test_a_stream_of_today_is_a_stream_of_tomorrow():
    # A change here changes every draw of every stored run: never change it.
    assert derived(0, "order", 3) == 3388138234715413421


def test_replicates_share_what_is_held_out_and_nothing_else():
    assert replicate(0) == Seeds()
    assert replicate(3) == Seeds(data=0, labels=3, init=3, order=3, mask=3)
    with pytest.raises(UsageError, match="order"):
        Seeds(order=-1)
