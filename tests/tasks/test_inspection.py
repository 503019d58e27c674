"""A network, a loss and data are looked at once: what does not fit is refused with the fix, what is unusual is said."""

import pytest
import torch
from odd_losses import brier_of_the_classes_of_a_batch, hardest_half, scaled_loss
from odd_networks import (
    ONCE,
    AlwaysDrawing,
    Batchwise,
    Computed,
    Double,
    FirstMean,
    FirstScale,
    Flat,
    HoldsItsNorm,
    HuggingFace,
    InPlace,
    Keeping,
    LastMean,
    LayersInAList,
    Locked,
    Mixing,
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
    RunningMean,
    SharedPart,
    Sparse,
    SparseBuffer,
    Squeezed,
    Stateful,
    TransposedTie,
    Untrainable,
    Wrong,
    hooked,
    infinite,
)
from torch import nn
from torch.nn.utils import prune

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds
from prunescope.tasks.inspection import inspect_problem
from prunescope.tasks.targets import Binary, Sequence
from prunescope.tasks.task import Task
from prunescope.training.last_batch import check_last_batch


def data(count, seed=0, classes=3):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % classes
    return torch.randn(count, 8, generator=generator) + y[:, None], y


def inspected(factory, *, batch=16, train=96, classes=3, **more):
    task = Task.from_module(factory, train=data(train, classes=classes), test=data(20, 1, classes), **more)
    problem = task.load(Seeds(), task.data.source.load())
    inspection = inspect_problem(problem)
    check_last_batch(problem, batch=batch, drop_last=False)
    return inspection


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
    "renormed embedding": (Renormed, {}, r"changes its own parameters in a pass \(table\.weight\)"),
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
