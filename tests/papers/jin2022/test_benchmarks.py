"""The table of benchmarks against the paper and the library it used; sizes and settings."""

from dataclasses import replace

import pytest

from prunescope.base.errors import DataError, UsageError
from prunescope.papers.jin2022 import column
from prunescope.papers.jin2022.scales import COLUMNS
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, words
from prunescope.papers.jin2022.subgroups import subgroups
from prunescope.studies.load import changed
from prunescope.tasks.data.cifar import IMAGENET
from prunescope.tasks.data.synthetic import synthetic
from prunescope.training.schedules import Constant

SHAPES = {"digits": (1, 8, 8), "lenet": (1, 28, 28), "resnet50": (3, 224, 224)}
every = pytest.mark.parametrize("name", COLUMNS)
drops = pytest.mark.parametrize(
    ("name", "lr"),
    [
        ("resnet20", {0: 0.1, 79: 0.1, 80: 0.01, 119: 0.01, 120: 0.001, 159: 0.001}),
        ("vgg16", {0: 0.1, 79: 0.1, 80: 0.01, 120: 0.001}),
        ("resnet32", {0: 0.1, 79: 0.1, 80: 0.01, 120: 0.001}),
        ("resnet50", {5: 0.4, 29: 0.4, 30: 0.04, 60: 0.004, 80: 0.0004}),
        ("lenet", {0: 0.1, 39: 0.1}),
    ],
)


def made_up(name):
    """The benchmark on a few made-up examples of its shape."""
    column = COLUMNS[name]
    source = synthetic(classes=2, shape=SHAPES.get(name, (3, 32, 32)), train=64, test=2)
    return replace(column, source=lambda: source, batch=16)


def test_lenet_is_what_is_stored_already():
    recipe = made_up("lenet").recipe(epochs=40)
    assert recipe.schedule == Constant(lr=0.1) and recipe.length == "40ep" and recipe.interventions == ()
    assert recipe.task.data.augmentation == () and recipe.task.network.args["hidden"] == [300, 100]
    assert COLUMNS["lenet"].prune.exclude == ("fc.weight",) and COLUMNS["lenet"].at(0, 40) == "0ep"


@drops
def test_learning_rates_at_full_length(name, lr):
    column = made_up(name)
    recipe = column.recipe(epochs=column.epochs)
    clock = recipe.clock()
    assert {e: recipe.schedule.at(4 * e, clock) for e in lr} == pytest.approx(lr)


@every
def test_the_opening_of_a_schedule_is_its_beginning(name):
    column = made_up(name)
    clock = column.recipe(epochs=column.epochs).clock()
    steps = range(clock.steps(column.at(column.early, column.epochs)))
    whole, opening = column.schedule(column.epochs), column.opening(column.epochs)
    assert [whole.at(k, clock) for k in steps] == [opening.at(k, clock) for k in steps] and len(steps)


@pytest.mark.parametrize(
    ("name", "weights"),
    [("resnet20", 270_896), ("vgg16", 14_715_584), ("resnet32", 470_192), ("resnet32-wide", 1_867_104)],
)
def test_networks_have_the_published_numbers_of_prunable_weights(name, weights):
    module = COLUMNS[name].network.build()
    assert sum(leaf.numel() for leaf in module.parameters() if leaf.ndim > 1) == weights


def test_images_are_padded_with_black_and_positions_shrink_with_the_schedule():
    (crop,) = COLUMNS["vgg16"].augmentation
    assert crop.pad == 4 and crop.fill == IMAGENET.zero
    column = COLUMNS["resnet20"]
    assert column.at(column.rewind, 160) == "10ep" and column.at(column.rewind, 16) == "1ep"
    assert COLUMNS["resnet50"].rewind == 10 and COLUMNS["resnet50"].batch == 1024


@every
@pytest.mark.parametrize("scale", SCALES)
def test_every_size_gives_possible_runs(name, scale, monkeypatch):
    size = Settings(benchmark=name).size(scale)
    column, images = COLUMNS[name], {"digits": 1297, "resnet50": 1_281_167}.get(name, 50_000)
    source = synthetic(classes=2, shape=(1,), train=10, test=2).replace(train=images)
    monkeypatch.setattr("prunescope.papers.jin2022.scales.COLUMNS", {name: replace(column, source=lambda: source)})
    bench = arms(size)
    clock = bench.base.clock()
    assert bench.base.schedule.at(0, clock) > 0 and clock.steps(bench.rewind) < clock.total
    assert size.noises[0] == 0 and (scale == "smoke" or size.epochs == column.epochs)


def test_settings_change_what_they_name_and_nothing_else():
    standard, changed = Settings().size("laptop"), Settings(levels=20, noises=(0.0, 0.3)).size("laptop")
    assert (changed.levels, changed.noises) == (20, (0.0, 0.3))
    assert (changed.controls, changed.extended_levels) == ((0.0, 0.3), (14, 20))
    same = ("levels", "noises", "controls", "extended_levels")
    assert changed.replace(**{name: getattr(standard, name) for name in same}) == standard


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"noises": (0.3,)}, "do not ascend from 0"),
        ({"noises": (0.0, 0.3, 0.3)}, "each value once"),
        ({"controls": (0.0, 0.3)}, "which noises lack"),
        ({"extended_levels": (3,)}, "for each of controls"),
        ({"levels": 2, "extended_levels": (3, 2)}, "at most levels=2"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        Settings(**wrong).size("laptop")


@pytest.mark.parametrize("wrong", [{"noises": (0.0, 1.0)}, {"benchmark": "alexnet"}, {"levels": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError):
        Settings(**wrong)


def test_data_that_is_not_there_is_an_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    with pytest.raises(DataError, match="MNIST lacks"):
        arms(Settings(benchmark="lenet").size("smoke"))


TRAINING = {"network_scale": 0.5, "augmentation": False, "batch": 64, "lr": 0.05, "rewind": 4, "early": 3}


def test_training_is_as_settings_say(monkeypatch):
    vgg = replace(COLUMNS["vgg16"], source=lambda: synthetic(classes=10, shape=(3, 32, 32), train=1000, test=10))
    monkeypatch.setattr("prunescope.papers.jin2022.scales.COLUMNS", {"vgg16": vgg})
    asked = Settings(benchmark="vgg16", epochs=60, levels=3, fraction=0.5, allow_collapse=True, **TRAINING)
    bench, usual = arms(asked.size("laptop")), arms(Settings(benchmark="vgg16", epochs=60).size("laptop"))
    recipe = bench.base
    assert (recipe.batch, recipe.schedule.lr, recipe.schedule.drops) == (64, 0.05, ("30ep", "45ep"))
    assert recipe.task.network.args["scale"] == 0.5 and recipe.task.data.augmentation == () and bench.rewind == "4ep"
    assert (bench.prune.amount.fraction, bench.prune.allow_collapse, bench.keeps) == (0.5, True, 0.5)
    assert bench.prune.exclude == usual.prune.exclude and usual.keeps == 0.8
    assert subgroups(bench, asked.size("laptop")).early == "3ep"
    assert all(f"{name}=" in words(asked.size("laptop"), "laptop") for name in TRAINING)


def test_a_column_runs_the_parts_that_are_asked_for_and_refuses_others():
    changes = {"benchmark": "digits", "parts": ("fig3", "fig6")}
    study = column.build(changed(column.SCALES["smoke"], changes), "smoke")
    assert [figure.name for figure in study.figures] == ["fig3", "fig6"] and study.settings.parts == ("fig3", "fig6")
    with pytest.raises(UsageError, match=r"parts.*fig1"):
        changed(column.SCALES["smoke"], {"parts": ("fig99",)})
    with pytest.raises(UsageError, match="about label noise"):
        column.build(
            changed(column.SCALES["smoke"], {"benchmark": "digits", "noises": (0,), "parts": ("fig4",)}), "smoke"
        )
