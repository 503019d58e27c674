"""torch's fused updates against the rules, and numbers too small for full precision."""

import pytest
import torch

from prunescope.base.tree import clone
from prunescope.tasks.kernels.flushing import available, flushing
from prunescope.training.optim import Adam, AdamW

RULES = [
    Adam(weight_decay=0.01),
    AdamW(weight_decay=0.1),
]


def filters(seed, *, last=False):
    draws = torch.Generator().manual_seed(seed)
    made = {
        "w": torch.randn(8, 4, 3, 3, generator=draws, dtype=torch.float64),
        "b": torch.randn(8, generator=draws, dtype=torch.float64),
    }
    if last:
        made["w"] = made["w"].contiguous(memory_format=torch.channels_last)
    return made


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{type(rule).__name__}-{rule.id[:4]}")
def test_fused_updates_are_the_rules(rule, monkeypatch):
    """With a mask, moments of removed weights that nobody cleared, and gradients that lie in another order."""
    kept = (filters(1)["w"] > 0).double()
    plain = filters(0)
    plain["w"] *= kept
    other = {
        name: leaf.clone(memory_format=torch.channels_last if leaf.ndim == 4 else torch.contiguous_format)
        for name, leaf in plain.items()
    }
    states = [rule.init(params) for params in (plain, other)]
    for state in states:
        for part in rule.slots:
            if part in state:
                state[part]["w"] += 0.5
    called = []
    for name in ("_fused_adam_", "_fused_adamw_"):
        own = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda *a, own=own, **k: (called.append(1), own(*a, **k)))
    for step in range(5):
        grads = filters(2 + step)
        rule.update_(grads, states[0], plain, keep={"w": kept}, lr=0.1)
        rule.fused_(grads, states[1], other, keep={"w": kept}, lr=0.1)
    assert len(called) == 5
    assert torch.equal(other["w"] == 0, kept == 0)
    for found, wanted in [(other, plain), *((states[1][part], states[0][part]) for part in states[0])]:
        for name, leaf in wanted.items():
            torch.testing.assert_close(found[name], leaf, rtol=1e-6, atol=1e-7)


def test_moments_in_another_order_are_left_to_the_rule():
    rule, params = Adam(), filters(0)
    opt = rule.init(params)
    opt["first"]["w"] = opt["first"]["w"].contiguous(memory_format=torch.channels_last)
    expected, _ = rule.update(filters(1), opt, params, keep={}, lr=0.1)
    moved = clone(params)
    rule.fused_(filters(1), opt, moved, keep={}, lr=0.1)
    assert torch.equal(moved["w"], expected["w"])


@pytest.mark.skipif(not available(), reason="this processor cannot take small numbers as 0")
def test_small_numbers_are_flushed_inside_only():
    def small():
        return torch.full((8,), 1e-30).mul_(1e-10).abs().max().item()

    with flushing(wanted=True):
        assert small() == 0
        with flushing(wanted=False):
            assert small() == 0, "who wanted it outside still has it"
    assert small() > 0
    with flushing(wanted=False):
        assert small() > 0
