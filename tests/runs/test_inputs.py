"""Networks on tokens, dictionaries and tuples, against a plain loop of PyTorch that calls them directly."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL
from prunescope.measures import Examples, GraNd, HessianTraceEstimate, Risk, Sample
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.tasks import evaluation
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.targets import Sequence
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

N, WORDS, CLASSES = 48, 20, 3


class Bag(nn.Module):
    """The mean embedding of the tokens that a mask keeps, beside a number."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 6)
        self.head = nn.Linear(7, CLASSES)

    def forward(self, input_ids, attention_mask, *, age):
        assert input_ids.dtype == torch.int64 and attention_mask.dtype in (torch.bool, torch.int64)
        kept = attention_mask[..., None].to(age.dtype)
        mean = (self.embedding(input_ids) * kept).sum(1) / kept.sum(1)
        return self.head(torch.cat([mean, age[:, None]], 1))


class Tagger(nn.Sequential):
    """A class for every token; a sequence of layers, which engines know by name."""

    def __init__(self):
        super().__init__(nn.Embedding(WORDS, 6), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, CLASSES))


class Two(nn.Module):
    """Two tensors by place."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(2, CLASSES), nn.Linear(4, CLASSES)

    def forward(self, left, right):
        return self.left(left) + self.right(right)


def drawn():
    g = torch.Generator().manual_seed(0)
    ids = torch.randint(0, WORDS, (N, 5), generator=g)
    mask = torch.arange(5) < torch.randint(1, 6, (N, 1), generator=g)
    return ids, mask, torch.randn(N, 6, generator=g), torch.arange(N) % CLASSES


IDS, MASK, X, Y = drawn()
TAGS = (IDS % CLASSES).masked_fill(~MASK, -100)
CASES = {
    "dictionary": (Bag, {"input_ids": IDS, "attention_mask": MASK, "age": X[:, 0]}, Y, {}),
    "whole masks": (Bag, {"input_ids": IDS, "attention_mask": MASK.long(), "age": X[:, 0]}, Y, {}),
    "tokens": (Tagger, IDS, TAGS, {"target": Sequence()}),
    "tuple": (Two, (X[:, :2], X[:, 2:]), Y, {}),
}


def recipe_of(name):
    net, x, y, more = CASES[name]
    task = Task.from_module(net, train=(x, y), test=(x, y), **more)
    return Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.5), batch=N, length="20it")


def call(module, x):
    return module(**x) if isinstance(x, dict) else module(*x) if isinstance(x, tuple) else module(x)


def plainly(name):
    """The module after 20 full-batch steps of torch.optim.SGD, in float64."""
    net, x, y, _ = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = net().double()
    x = {k: v.double() if v.is_floating_point() else v for k, v in x.items()} if isinstance(x, dict) else x
    x = tuple(part.double() for part in x) if isinstance(x, tuple) else x
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for _ in range(21):
        z = call(module, x)
        if y.ndim == 2:  # mean over tokens first, then over examples
            rows = [F.cross_entropy(row, labels, ignore_index=-100) for row, labels in zip(z, y, strict=True)]
            each = torch.stack(rows)
        else:
            each = F.cross_entropy(z, y, reduction="none")
        end, loss = {k: v.detach().clone() for k, v in module.named_parameters()}, each.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return end, each.detach(), z.detach()


@pytest.mark.parametrize("engine", ["loop", None])
@pytest.mark.parametrize("name", CASES)
def test_a_network_gets_its_parts_in_every_pass(name, engine, store):
    run = recipe_of(name)
    sample = Sample(split="train", examples=8)
    measures = (Examples(), Risk(), GraNd(), HessianTraceEstimate(sample=sample, probes=4))
    nodes = [Reading(measure=measure, state=final(run)) for measure in measures]
    results = [ensure(node, store=store, workers=1, engine=engine)[node] for node in nodes]
    end, losses, _ = plainly(name)
    params = store.weights(run.id, FINAL.id).params
    assert params.keys() == end.keys()
    for key, leaf in end.items():
        torch.testing.assert_close(params[key].double(), leaf, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(results[0]["loss"]).double(), losses, rtol=1e-3, atol=1e-4)
    assert bool((torch.from_numpy(results[2]["grand"]) > 0).all()) and torch.isfinite(
        torch.tensor(float(results[3]["trace"]))
    )


def test_pruned_runs_and_stacks_get_them_too(store):
    runs = imp(recipe_of("dictionary"), levels=2)
    ensure(runs, store=store, workers=1)
    head = store.weights(runs[-1].id, FINAL.id)
    kept = head.masks["head.weight"]
    assert 0 < int(kept.sum()) < kept.numel() and bool((head.params["head.weight"][~kept] == 0).all())
    pair = [recipe_of("tokens"), recipe_of("tokens").replace(schedule=Constant(lr=0.25))]
    ensure(pair, store=store, workers=1, engine="lean", stack=2)
    torch.testing.assert_close(
        store.weights(pair[0].id, FINAL.id).params["3.weight"].double(),
        plainly("tokens")[0]["3.weight"],
        rtol=1e-3,
        atol=1e-4,
    )


def test_outputs_of_tokens_are_judged_some_at_a_time(store, monkeypatch):
    node = Reading(measure=Examples(), state=final(recipe_of("tokens")))
    whole = ensure(node, store=store, workers=1)[node]
    monkeypatch.setattr(evaluation, "OUTPUTS", 5 * CLASSES * 7)  # seven examples a pass
    parts = ensure(node, store=Store(store.root.parent / "another"), workers=1)[node]
    for name, value in whole.items():
        torch.testing.assert_close(torch.from_numpy(parts[name]), torch.from_numpy(value))


def test_a_network_that_cannot_take_its_inputs_is_refused_with_them(store):
    task = Task.from_module(lambda: nn.Linear(5, 3), train=(IDS, Y), test=(IDS, Y))
    run = recipe_of("tokens").replace(task=task)
    with pytest.raises(
        UsageError, match=r"on inputs 0: int \[5\]: RuntimeError: .*Long.*; whole numbers .* x.float\(\)"
    ):
        ensure(run, store=store, workers=1)


def test_augmentations_of_images_are_refused_for_tokens():
    task = recipe_of("tokens").task
    with pytest.raises(UsageError, match="CropFlip changes images, and these examples are tokens"):
        task.replace(data=task.data.replace(augmentation=(CropFlip(fill=(0.0,)),)))


def test_what_is_unpacked_is_a_part_of_the_id_only_where_it_is():
    plain = Task.from_module(Two, train=(X, Y), test=(X, Y))
    assert '"layout"' not in plain.canonical and '"layout"' in recipe_of("tuple").task.canonical
