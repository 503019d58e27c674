"""What is unusual of a network is said, in one sentence, and what is sound is taken as it is."""

import pytest
import torch
from keeping_networks import Keeping
from looked_at import inspected
from odd_networks import HoldsItsNorm, HuggingFace, Net, Pair
from torch import nn
from torch.nn.utils import prune

from prunescope.tasks.targets import Binary


def test_a_train_of_the_users_own_is_called():
    assert inspected(HoldsItsNorm).evaluating == inspected(HoldsItsNorm()).evaluating == ("norm",)


def test_what_a_pass_keeps_and_none_reads_may_be_anything():
    assert inspected(Keeping).outputs == inspected(Keeping()).outputs == 3


def test_an_object_with_logits_is_understood():
    assert inspected(HuggingFace).outputs == 3
    assert inspected(Pair, output=0).outputs == 3


class Unusual(nn.Module):
    """A table that is looked up, a frozen layer, one in evaluation mode, and one that was pruned."""

    def __init__(self):
        super().__init__()
        self.table, self.frozen = nn.Embedding(5, 8), nn.Linear(8, 8)
        self.norm, self.head = nn.BatchNorm1d(8), nn.Linear(8, 3)
        self.frozen.requires_grad_(False)
        self.norm.eval()
        prune.l1_unstructured(self.head, "weight", amount=6)

    def forward(self, x):
        places = x[:, 0].abs().long().clamp(max=4)
        return self.head(self.norm(self.frozen(x + self.table(places))))


def test_what_is_unusual_is_said_in_one_sentence():
    look = inspected(Unusual)
    assert (look.frozen, look.evaluating) == (("frozen.bias", "frozen.weight"), ("norm",))
    assert look.masked == {"head.weight": 6} and look.tensors.prunable == ("head.weight",)
    assert not look.is_usual
    assert look.sentence == (
        "Unusual: 24 of 83 parameters (28.9 %) are prunable weights; not prunable: table.weight (an embedding); "
        "6 entries of head.weight are 0 as given and count as pruned from the start; frozen.bias, frozen.weight "
        "frozen; norm in evaluation mode during training"
    )
    assert inspected(Net).is_usual


class Seeded(Net):
    def __init__(self):
        torch.manual_seed(3)
        super().__init__()
        self.spare = nn.Linear(2, 2)
        nn.init.zeros_(self.spare.bias)  # as biases and the shifts of BatchNorm mostly begin


def test_weights_without_gradient_and_weights_of_one_seed_are_said():
    look = inspected(Seeded)
    assert look.unused == ("spare.weight", "spare.bias") and not look.seeded and not look.is_usual
    assert look.sentence.endswith(
        "no gradient reaches spare.weight, spare.bias; every seed starts from the same weights"
    )
    assert inspected(Net()).seeded and inspected(Net()).is_usual


class Parameters(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.ParameterDict({"w": nn.Parameter(torch.randn(8, 3))})
        self.list = nn.ParameterList([nn.Parameter(torch.randn(3, 3)), nn.Parameter(torch.randn(3, 3))])

    def forward(self, x):
        return x @ self.table["w"] @ self.list[0] + self.list[1].sum()


def test_matrices_in_containers_of_parameters_are_prunable_where_they_multiply():
    look = inspected(Parameters)
    assert look.tensors.prunable == ("table.w", "list.0") and set(look.tensors.other) == {"list.1"}


def test_a_choice_of_the_users_own_is_said_with_what_it_leaves_out():
    look = inspected(Net, prunable="b.*")
    assert look.tensors.prunable == ("b.weight",) and "a.weight (not named)" in look.sentence


@pytest.mark.parametrize("last", [nn.Identity(), nn.Flatten(0)])
def test_one_logit_is_one_output_with_or_without_an_axis_of_its_own(last):
    def build():
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(1), last)

    assert inspected(build, classes=2, target=Binary()).outputs == 1
