"""Optimizers, schedules and other values chosen by the name of their class, from text."""

import pytest

from prunescope.base.errors import UsageError
from prunescope.base.kinds import kinds
from prunescope.base.value import Value
from prunescope.cli.overrides import gather
from prunescope.studies.load import changed
from prunescope.tasks.data.augmentation import Augmentation, CropFlip
from prunescope.training.optim import SGD, Adam, AdamW, Optimizer
from prunescope.training.optimizers.wrapper import Clipped, Group, Grouped
from prunescope.training.schedules import Constant, Cosine, Schedule, Warmup


class Signed(Optimizer):
    """One that a study defines beside itself."""

    def init(self, params):
        return {}

    def update(self, grads, opt, params, *, keep, lr):
        return {name: leaf - lr * grads[name].sign() for name, leaf in params.items()}, opt


class Settings(Value):
    optimizer: Optimizer = SGD(momentum=0.9, weight_decay=1e-4)
    schedule: Schedule = Constant(lr=0.1)
    augmentation: tuple[Augmentation, ...] = ()
    epochs: int = 3


@pytest.mark.parametrize(
    ("pairs", "field", "expected"),
    [
        (["optimizer.kind=AdamW", "optimizer.weight_decay=0.1"], "optimizer", AdamW(weight_decay=0.1)),
        (["optimizer.kind=SGD", "optimizer.momentum=0"], "optimizer", SGD(weight_decay=1e-4)),
        (["optimizer={kind: Adam, eps: 1e-6}"], "optimizer", Adam(eps=1e-6)),
        (["optimizer.kind=Signed"], "optimizer", Signed()),
        (
            ["optimizer.kind=Clipped", "optimizer.norm=1", "optimizer.optimizer.kind=AdamW"],
            "optimizer",
            Clipped(norm=1.0, optimizer=AdamW()),
        ),
        (
            [
                "optimizer.kind=Grouped",
                "optimizer.optimizer={kind: SGD, weight_decay: 0.1}",
                "optimizer.groups=[{match: [vectors], weight_decay: 0}]",
            ],
            "optimizer",
            Grouped(optimizer=SGD(weight_decay=0.1), groups=(Group(match=("vectors",), weight_decay=0.0),)),
        ),
        (["schedule.kind=Cosine", "schedule.lr=1e-3"], "schedule", Cosine(lr=1e-3)),
        (
            ["schedule.kind=Warmup", "schedule.steps=5ep", "schedule.then={kind: Cosine, lr: 0.1}"],
            "schedule",
            Warmup(steps="5ep", then=Cosine(lr=0.1)),
        ),
        (["augmentation=[{kind: CropFlip, fill: [0.0]}]"], "augmentation", (CropFlip(fill=(0.0,)),)),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_kind_is_a_value(pairs, field, expected):
    assert getattr(changed(Settings(), gather(pairs)), field) == expected


def test_a_file_says_the_same(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("optimizer:\n  kind: AdamW\n  weight_decay: 0.1\nschedule:\n  kind: Cosine\n  lr: 0.001\n")
    found = changed(Settings(), gather(["schedule.lr=0.01"], file))
    assert found == Settings(optimizer=AdamW(weight_decay=0.1), schedule=Cosine(lr=0.01))


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["optimizer.kind=AdamWW"], ("optimizer.kind='AdamWW'", "did you mean 'AdamW'", "Clipped", "Grouped")),
        (["optimizer.kind=Cosine"], ("no kind of Optimizer",)),
        (["optimizer.kind=os:system"], ("'os:system'", "no kind of Optimizer")),
        (["optimizer.kind=Optimizer"], ("no kind of Optimizer",)),
        (["optimizer.kind=_Moments"], ("no kind of Optimizer",)),
        (["optimizer.kind=AdamW", "optimizer.momentum=1"], ("'optimizer.momentum'", "setting of AdamW", "betas")),
        (["optimizer.kind=AdamW", "optimizer.lr=1"], ("belongs to the schedule", "schedule.lr")),
        (["optimizer.lr=1"], ("belongs to the schedule", "schedule.lr")),
        (["optimizer.kind=AdamW", "optimizer.eps=-1"], ("optimizer.eps=-1", "greater than 0")),
        (["schedule.kind=Cosine"], ("schedule.lr", "required")),
        (["optimizer.kind=Clipped", "optimizer.norm=1", "optimizer.optimizer.eps=1"], ("optimizer.optimizer.kind",)),
        (["epochs.kind=Adam"], ("epochs holds no value that has kinds",)),
    ],
    ids=lambda value: value[0],
)
def test_a_wrong_kind_is_named(pairs, words):
    with pytest.raises(UsageError) as caught:
        changed(Settings(), gather(pairs))
    assert all(word in str(caught.value) for word in words), caught.value


def test_every_leaf_is_a_kind_and_no_other_class():
    assert {"SGD", "Adam", "AdamW", "Clipped", "Grouped", "Signed"} <= kinds(Optimizer).keys()
    assert not {"Optimizer", "_Moments", "Wrapper"} & kinds(Optimizer).keys()
    assert {"Constant", "Milestones", "Cosine", "Warmup", "Stretched"} <= kinds(Schedule).keys()
