"""Which tensors are prunable weights, counted by hand for every kind of layer."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

from prunescope.base.errors import UsageError, UserCodeError
from prunescope.tasks.prunable import sort_tensors


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.f, self.d = nn.Embedding(20, 8), nn.Linear(8, 8), nn.Linear(8, 20, bias=False)
        self.d.weight = self.e.weight


class Own(nn.Module):
    """A matrix that is multiplied, a table that is added, one that is indexed, and one that is never used."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(6, 5))
        self.position = nn.Parameter(torch.randn(4, 6))
        self.table = nn.Parameter(torch.randn(7, 5))
        self.idle = nn.Parameter(torch.randn(3, 3))
        self.o = nn.Linear(5, 3)

    def forward(self, x):
        index = torch.zeros(len(x), dtype=torch.long)
        return self.o(((x + self.position) @ self.w).mean(1) + self.table[index])


class Conv1D(nn.Module):  # as in transformers.pytorch_utils
    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight, self.bias = nn.Parameter(torch.randn(nx, nf)), nn.Parameter(torch.zeros(nf))


def named(**layers):
    return nn.ModuleDict(layers)


@pytest.mark.parametrize(
    ("module", "prunable", "weights"),
    [
        (named(a=nn.Linear(4, 3), n=nn.LayerNorm(3)), ("a.weight",), 12),
        (named(a=nn.ConvTranspose2d(2, 3, 2), b=nn.Conv1d(2, 2, 3)), ("a.weight", "b.weight"), 24 + 12),
        (
            named(r=nn.LSTM(4, 3, proj_size=2)),
            ("r.weight_ih_l0", "r.weight_hh_l0", "r.weight_hr_l0"),
            48 + 24 + 6,
        ),
        (named(r=nn.GRUCell(4, 3)), ("r.weight_ih", "r.weight_hh"), 36 + 27),
        (named(a=nn.MultiheadAttention(6, 2)), ("a.in_proj_weight", "a.out_proj.weight"), 108 + 36),
        (
            named(a=nn.MultiheadAttention(6, 2, kdim=4, vdim=5)),
            ("a.q_proj_weight", "a.k_proj_weight", "a.v_proj_weight", "a.out_proj.weight"),
            36 + 24 + 30 + 36,
        ),
        (named(a=nn.Bilinear(2, 3, 4)), ("a.weight",), 24),
        (named(c=Conv1D(4, 3)), ("c.weight",), 12),
        (Tied(), ("e.weight", "f.weight"), 160 + 64),
        (named(a=weight_norm(nn.Linear(4, 3))), ("a.parametrizations.weight.original1",), 12),
        (named(a=spectral_norm(nn.Linear(4, 3))), ("a.parametrizations.weight.original",), 12),
    ],
    ids=lambda value: None,
)
def test_weights_of_every_kind_of_layer(module, prunable, weights):
    tensors = sort_tensors(module)
    assert (tensors.prunable, tensors.weights) == (prunable, weights)
    assert tensors.parameters == sum(leaf.numel() for leaf in module.parameters())


def test_what_is_not_prunable_is_named_with_the_reason():
    module = named(e=nn.Embedding(20, 8), q=orthogonal(nn.Linear(4, 4)), o=nn.Linear(8, 3))
    tensors = sort_tensors(module)
    assert tensors.prunable == ("o.weight",)
    assert tensors.other == {
        "e.weight": "an embedding",
        "q.parametrizations.weight.original": "its parametrization does not keep zeros",
    }
    assert "24 of 207 parameters (11.6 %)" in tensors.sentence and "e.weight (an embedding)" in tensors.sentence


def test_a_matrix_of_ones_own_is_a_weight_where_it_is_multiplied():
    module = Own().train()
    tensors = sort_tensors(module, example=torch.randn(2, 4, 6))
    assert tensors.prunable == ("w", "o.weight")
    assert set(tensors.other) == {"position", "table", "idle"}
    assert module.training and all(part.training for part in module.modules())
    assert sort_tensors(module).prunable == ("o.weight",), "without an example, types alone decide"
    with pytest.raises(UserCodeError, match=r"Own on some examples: RuntimeError: .*test_prunable.py, line \d+"):
        sort_tensors(module, example=torch.randn(2, 5, 6))


def test_names_and_patterns():
    module = Tied()
    assert sort_tensors(module, ["f.*"]).prunable == ("f.weight",)
    assert sort_tensors(module, ["*"]).prunable == ("e.weight", "f.weight")
    assert sort_tensors(named(e=nn.Embedding(20, 8), o=nn.Linear(8, 3)), ["e.weight"]).weights == 160


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["g.weight"], "fits no parameter; there are e.weight, f.weight"),
        (["f.bias"], "it is a vector"),
        (["f.bias*"], "none of which can be pruned"),
        (["d.weight"], "fits no parameter"),
    ],
)
def test_impossible_wishes_are_refused(wanted, message):
    with pytest.raises(UsageError, match=message):
        sort_tensors(Tied(), wanted)


def test_frozen_tensors_are_no_weights():
    module = named(a=nn.Linear(4, 3), b=nn.Linear(3, 2))
    module["a"].requires_grad_(False)
    assert (sort_tensors(module).prunable, sort_tensors(module).parameters) == (("b.weight",), 8)
    with pytest.raises(UsageError, match="frozen"):
        sort_tensors(module, ["a.weight"])


def test_looking_changes_nothing():
    module = named(a=spectral_norm(nn.Linear(4, 3)), b=weight_norm(nn.Linear(4, 3)))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    sort_tensors(module)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
