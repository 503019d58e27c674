"""A network, a loss and data are looked at once: what does not fit is refused with the fix, what is unusual is said."""

import pytest
import torch
from keeping_networks import FirstMean, FirstScale, LastMean, RunningMean, SlowMean, Stateful
from looked_at import inspected
from odd_losses import brier_of_the_classes_of_a_batch, hardest_half, scaled_loss
from odd_networks import (
    ONCE,
    AlwaysDrawing,
    Batchwise,
    Computed,
    Double,
    Flat,
    InPlace,
    LayersInAList,
    Locked,
    Mixing,
    MixingOfMany,
    MoreInTraining,
    Net,
    Normed,
    NotANumber,
    NoWayBack,
    NumbersOfPython,
    Pair,
    RandomBuffer,
    RandomFeatures,
    Renormed,
    SharedPart,
    Sparse,
    SparseBuffer,
    Squeezed,
    TransposedTie,
    Untrainable,
    Wrong,
    hooked,
    infinite,
)
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds
from prunescope.tasks.inspection import inspect_problem
from prunescope.tasks.targets import Sequence
from prunescope.tasks.task import Task


def from_zero(net):
    """A network whose head begins at 0, so that fresh outputs say nothing of it."""
    for leaf in net.b.parameters():
        nn.init.zeros_(leaf)
    return net


REFUSED = {
    "named tensor": (Normed, {"output": "logits"}, r"Normed returns a tensor, .*output='logits'; leave output= out"),
    "tuple": (Pair, {}, r"Pair returns a tuple;.*output=0, output=1"),
    "no such member": (Pair, {"output": 5}, r"has no tensor 5"),
    "one number": (Flat, {}, r"Flat returns a tensor \[2\] for 2 examples; it must return logits \[N, C\]"),
    "too few outputs": (
        Net,
        {"classes": 5},
        "3 outputs for labels up to 4; the network needs 5 outputs, or, where labels begin at 1, give y - 1",
    ),
    "other outputs in training": (
        MoreInTraining,
        {},
        r"\[2, 6\] in training mode and \[2, 3\] in evaluation mode",
    ),
    "float64": (Double, {}, r"a\.weight of Double is float64; parameters must be float32: call \.float\(\)"),
    "half precision": (lambda: Net().half(), {}, r"is float16; parameters must be float32"),
    "nothing trains": (Untrainable, {}, r"no trainable parameter \(4 are frozen\); set requires_grad"),
    "examples mix before a head of zeros": (lambda: from_zero(Mixing()), {}, "influence each other"),
    "draws before a head of zeros": (lambda: from_zero(AlwaysDrawing()), {}, "other outputs for the same examples"),
    "examples mix": (Mixing, {}, r"influence each other in Mixing in evaluation mode.*running statistics"),
    "eight examples mix": (MixingOfMany, {}, r"influence each other in MixingOfMany.*: 8 together have other outputs"),
    "a mean in a buffer": (SlowMean, {}, r"in evaluation mode, buffers in a pass \(mean\); .*unless self\.training"),
    "examples mix in a norm": (
        Batchwise,
        {},
        r"Batchwise in evaluation mode|Batchwise takes 2 examples and not 1",
    ),
    "draws in evaluation": (AlwaysDrawing, {}, r"other outputs for the same examples.*self\.training"),
    "error of the user's": (
        Wrong,
        {},
        r"Wrong on inputs \[2, 8\]: RuntimeError.*odd_networks.*self\.b\(x\)",
    ),
    "state over calls": (Stateful, {}, r"other outputs for the same examples in evaluation mode"),
    "a mean in an attribute": (RunningMean, {}, r"every pass of RunningMean changes mean, which.*register_buffer"),
    "a mean that only evaluation reads": (LastMean, {}, r"every pass of LastMean changes mean.* and looks at it"),
    "a mean of the first examples": (FirstMean, {}, r"first pass of FirstMean in evaluation mode .*register_buffer"),
    "a scale of an instance's first batch": (FirstScale(), {}, r"first pass of FirstScale in training mode leaves"),
    "inputs in place": (InPlace, {}, r"InPlace changes its inputs in place"),
    "no row for one example": (Squeezed, {}, r"returns \[2, 3\] for 2 examples and no row for 1: squeeze\(1\)"),
    "two tensors in one memory": (
        TransposedTie,
        {},
        r"c\.weight and d\.weight of TransposedTie are two tensors in the",
    ),
    "labels in place": (
        Net,
        {"loss": "odd_losses:renaming_loss"},
        r"renaming_loss changes the outputs or y in place",
    ),
    "draws by Python": (NumbersOfPython, {}, r"draws from another generator than torch's default one"),
    "renormed embedding": (Renormed, {}, r"changes its own parameters .* in a pass \(table\.weight\)"),
    "NaN": (NotANumber, {}, r"returns NaN for fresh weights"),
    "the same module": (lambda: ONCE, {}, r"returns the same module, or parts of it, at every call"),
    "a shared part": (SharedPart, {}, r"returns the same module, or parts of it, at every call"),
    "script": (
        torch.jit.script(nn.Linear(8, 3)),
        {},
        r"a RecursiveScriptModule; give the plain module inside",
    ),
    "exported": (
        type("_StatefulGraphModule", (nn.Linear,), {})(8, 3),  # of which torch.export makes its own
        {},
        r"a _StatefulGraphModule; give the plain module inside it, or that it was made of",
    ),
    "parallel": (
        nn.DataParallel(nn.Linear(8, 3)),
        {},
        r"the module is a DataParallel; give the plain module",
    ),
    "meta": (lambda: nn.Linear(8, 3, device="meta"), {}, r"device 'meta', without numbers"),
    "error of a factory": (lambda: [][1], {}, r"IndexError: list index out of range \(.*, line"),
    "mean loss": (
        Net,
        {"loss": "odd_losses:mean_loss"},
        r"mean_loss returns \[\] for 2 examples.*reduction='none'",
    ),
    "losses mix": (
        Net,
        {"loss": "odd_losses:centred_loss"},
        r"centred_loss of 8 examples is not the loss of each",
    ),
    "losses mix where there are three": (Net, {"loss": hardest_half}, r"hardest_half of 8 examples is not the loss"),
    "a loss counts classes": (Net, {"loss": brier_of_the_classes_of_a_batch}, r"of_a_batch of (8|one) example.*"),
    "a loss trains": (Net, {"loss": scaled_loss}, r"reaches 1 tensors that are no parameters of Net .*\(\[\]\)"),
    "a drawn attribute": (RandomFeatures, {}, r"neither its parameters nor its buffers.*register_buffer"),
    "layers in a list": (LayersInAList, {}, r"LayersInAList computes with random numbers.*nn\.ModuleList"),
    "layers in a list of an instance": (LayersInAList(), {}, r"reaches 2 tensors .*nn\.ModuleList"),
    "an attribute trains": (RandomFeatures(trains=True), {}, r"reaches 1 tensors .*would not train \(\[8, 8\]\)"),
    "a buffer without a seed": (RandomBuffer, {}, r"builds another network each time from the same seed"),
    "a computed attribute": (Computed, {}, r"Computed cannot be copied .*Compute it in forward\(\)"),
    "a lock": (Locked(), {}, r"Locked cannot be copied .*no data \(a lock, a file, a generator\)"),
    "a sparse buffer": (SparseBuffer, {}, r"table of SparseBuffer is a sparse tensor; make it dense"),
    "bfloat16 of an instance": (Net().bfloat16(), {}, r"is bfloat16; parameters must be float32"),
    "an infinite weight": (infinite, {}, r"a\.bias of infinite has NaN or infinite entries before any training"),
    "a hook on a gradient": (hooked, {}, r"a\.weight of Net has a hook on its gradient, which would not be called"),
    "sparse outputs": (Sparse, {}, r"returns float32 and sparse_coo; logits must be float32 and dense"),
    "an error in a backward pass": (NoWayBack, {}, r"backward pass of .*NoWayBack: KeyError: .*raise KeyError"),
    "broken loss": (
        Net,
        {"loss": "odd_losses:broken_loss"},
        r"loss broken_loss: ValueError.*line .*no such thing",
    ),
    "last batch of one": (
        Normed,
        {"train": 97},
        r"97 training examples in batches of 16 end with a batch of one example.*drop_last",
    ),
    "batches of one": (Normed, {"batch": 1}, r"96 training examples in batches of 1 end with a batch of one example"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_the_fix(case):
    factory, more, message = REFUSED[case]
    random = torch.get_rng_state()
    with pytest.raises(UsageError, match=message) as problem:
        inspected(factory, **more)
    assert "Traceback" not in str(problem.value) and "\n" not in str(problem.value)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("more", [{}, {"train": 97}, {"batch": 1}, {"batch": 200}])
def test_a_network_that_takes_one_example_may_have_a_batch_of_one(more):
    assert inspected(Net, **more).is_usual


def test_a_split_of_one_batch_and_a_rest_of_more_than_one_train_with_normalization():
    assert inspected(Normed, train=98).is_usual and inspected(Normed, train=17, batch=17).is_usual


class Tagger(nn.Module):
    """Two columns of whole numbers with tables of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Embedding(5, 4), nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.first(x[:, 0]) + self.second(x[:, 1]))


@pytest.mark.parametrize(("split", "column", "value"), [(0, 0, 5), (1, 0, 5), (1, 1, 9), (1, 1, 8)])
def test_numbers_beyond_a_table_are_found_before_training_in_whatever_example_they_are(split, column, value):
    held = [(torch.tensor([[4, 8]]).repeat(500, 1), torch.arange(500) % 2) for _ in range(2)]
    held[split][0][77, column] = value
    task = Task.from_module(Tagger, train=held[0], test=held[1])
    problem = task.load(Seeds(), task.data.source.load())
    if value == 8:
        inspect_problem(problem)
    else:
        with pytest.raises(UsageError, match=r"Tagger on inputs 0: int \[2\]: IndexError: index out of range"):
            inspect_problem(problem)


class Trimming(nn.Module):
    """Cuts a batch off where its longest example ends, and takes the mean over what is left."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(5, 4), nn.Linear(4, 5)

    def forward(self, x):
        vectors = self.table(x[:, : int((x != 0).sum(1).max())])
        return self.head(vectors.mean(1))


def test_a_network_that_cuts_a_batch_at_its_longest_example_is_refused_though_two_may_be_as_long():
    x = torch.where(torch.arange(6) < torch.tensor([3, 1, 2, 6, 4, 3])[:, None], torch.arange(6) % 4 + 1, 0)
    task = Task.from_module(Trimming, train=(x, torch.arange(6) % 5), test=(x[1:], torch.arange(5)))
    with pytest.raises(UsageError, match=r"influence each other in Trimming in .*; use .* mask what is padded"):
        inspect_problem(task.load(Seeds(), task.data.source.load()))


class Words(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Embedding(5, 4), nn.Linear(4, 5))


def test_labels_that_are_the_tokens_themselves_are_noted():
    x = torch.arange(30).reshape(5, 6) % 5
    y = torch.where(torch.arange(6) < 4, x, -100)
    said = []
    for labels in (y, y.roll(-1, 1)):
        task = Task.from_module(Words, train=(x, labels), test=(x[1:], labels[1:]), target=Sequence())
        said.append(inspect_problem(task.load(Seeds(), task.data.source.load())).sentence)
    assert [line.endswith("y is x itself: whoever predicts the next token shifts y") for line in said] == [True, False]
