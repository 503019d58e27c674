"""What is a mask counts, wherever a module keeps it, and nothing else does."""

import pytest
import torch
from small import data, net
from torch import nn
from torch.nn.utils import prune

from prunescope.audit.door import audit


@pytest.fixture(autouse=True)
def _data_of_its_own(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path_factory.mktemp("data")))


def test_a_mask_of_fractions_multiplies(tmp_path):
    pruned = net(0)
    prune.custom_from_mask(pruned[2], "weight", torch.rand(3, 12, generator=torch.Generator().manual_seed(1)))
    report = audit(net(0), pruned.state_dict(), test=data(3), store=tmp_path)
    x, y = data(3)
    assert report.findings.evidence.pruned[0].wrong.mean() == (pruned(x).argmax(1) != y).double().mean()


class MaskElsewhere(nn.Sequential):
    """Multiplies its first layer's weights with a tensor that it keeps as `place` says."""

    def __init__(self, place, mask):
        torch.manual_seed(0)
        super().__init__(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
        self.place = place
        if place == "buffer":
            self.register_buffer("kept", mask)
        else:
            self.kept = nn.Parameter(mask, requires_grad=False) if place == "parameter" else mask

    def forward(self, x):
        kept = ~self.kept if self.place == "removed" else self.kept
        return self[2](self[1](nn.functional.linear(x, self[0].weight * kept, self[0].bias)))


@pytest.mark.parametrize("place", ["buffer", "parameter", "attribute", "removed", "rows"])
def test_a_mask_counts_wherever_a_module_keeps_it(place, tmp_path):
    mask = torch.ones(12, 1 if place == "rows" else 6)
    mask[:4] = 0
    dense, pruned = (MaskElsewhere(place, kept) for kept in (torch.ones_like(mask), mask))
    if place == "removed":
        dense.kept, pruned.kept = torch.zeros(12, 6, dtype=torch.bool), mask == 0
    report = audit(dense, pruned, test=data(3), store=tmp_path)
    assert report.plan.pruned["pruned"].run.weights.sparsity == pytest.approx(24 / 108)


def test_a_buffer_of_zeros_and_ones_that_no_pass_uses_is_no_mask(tmp_path):
    class Seen(nn.Linear):
        def __init__(self) -> None:
            super().__init__(6, 3)
            self.register_buffer("seen", torch.ones(3, 6))

    dense, pruned = Seen(), Seen()
    pruned.load_state_dict(dense.state_dict())
    pruned.seen[:, 4:] = 0
    x, y = data(3)
    x[:8, 4:] = 0
    report = audit(dense, pruned, test=(x, y), store=tmp_path)
    assert report.findings.evidence.pruned[0].sparsity == 0
