"""The papers' tables: parameters, schedules, counts, batch sizes, and what of them a size keeps."""

import importlib

import pytest
from paper_items import STUDIES

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.papers.bartoldson import (
    arms,
    scales,
    v2019_fig3,
    v2019_fig_a2,
    v2019_fig_a3,
    v2020_app_d,
    v2020_fig3,
    v2020_fig5,
    v2020_section2,
    yours,
)
from prunescope.papers.bartoldson.comparison import Comparison, arm
from prunescope.papers.bartoldson.scales import CONV4, VGG11, Size, TraceSize, batch_for
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import during_training
from prunescope.runs.machine.loader import fresh_weights
from prunescope.runs.store.store import Store
from prunescope.studies.load import changed
from prunescope.tasks.model import Model
from prunescope.training.interventions import LayerSchedule
from prunescope.training.run import begin, train

PAPER = Size(data="blobs", blobs=128)
LOOKS = {"test_limit": 7, "train_limit": 7, "recalibration": 2, "flat_images": 7, "flat_steps": 3}
"""Settings of what is looked at, not of what is trained, and values that no smoke scale has."""


@pytest.mark.parametrize(
    ("group", "parameters"),
    [
        (scales.VGG11, 9_231_114),
        (scales.RESNET18, 11_173_962),
        (scales.RESNET18_CIFAR100, 11_220_132),
        (scales.CONV4, 1_250_858),
    ],
)
def test_networks_have_the_published_number_of_parameters(group, parameters):
    params, _ = Model(group.network).init(0)
    assert sum(leaf.numel() for leaf in params.values()) == parameters


@pytest.mark.parametrize(
    ("group", "epochs", "drops", "lr"),
    [
        (scales.VGG11, 325, (150, 300), 1e-3),
        (scales.VGG11_SHORT, 175, (50, 120), 1e-3),
        (scales.RESNET56_SGD, 165, (83, 125), 0.1),
        (scales.RESNET18_CIFAR100, 4000, (2000,), 1e-4),
        (scales.CONV4, 25, (), 1e-3),
    ],
)
def test_learning_rates_fall_where_the_papers_say(group, epochs, drops, lr):
    recipe = group.recipe(PAPER)
    clock = recipe.clock()
    assert recipe.length == f"{epochs}ep" and recipe.batch == 128
    for i, drop in enumerate(drops):
        rates = [recipe.schedule.at(drop * clock.epoch_steps + k, clock) for k in (-1, 0)]
        assert rates == pytest.approx([lr * 0.1**i, lr * 0.1 ** (i + 1)])


@pytest.mark.parametrize(
    ("layers", "period", "events", "rate"),
    [
        (scales.VGG11_LAYERS, 4, (37, 37, 37, 68), 1.3),
        (scales.VGG11_LAYERS, 20, (8, 8, 8, 14), 6.4),
        (scales.VGG11_LAYERS, 40, (4, 4, 4, 7), 12.9),
        (scales.VGG11_LAYERS, 60, (3, 3, 3, 5), 18.0),
        (scales.VGG11_LAYERS, 100, (2, 2, 2, 3), 30.0),
        (scales.VGG11_LAYERS, 200, (1, 1, 1, 2), 45.0),
        (scales.VGG11_LAYERS, 300, (1, 1, 1, 1), 90.0),
        (scales.RESNET18_LAYERS, 4, (36, 36, 41, 67), 1.4),
        (scales.RESNET18_LAYERS, 40, (4, 4, 5, 7), 13.6),
        (scales.RESNET18_LAST, 750, (2,), 35.0),
        (scales.SHORT, 40, (2, 2, 2, 3), 30.0),
        (scales.SHORT_FIXED, 4, (12, 12, 12, 30), 3.0),
    ],
)
def test_events_and_rates_are_those_of_the_papers(layers, period, events, rate):
    assert layers.events(PAPER, period) == events
    assert layers.rate(PAPER, period) == pytest.approx(rate, abs=0.06)
    epochs = 4000 if layers is scales.RESNET18_LAST else 325
    clock = Clock(1, epochs)
    assert tuple(len(schedule.steps(clock)) for schedule in layers.schedules(PAPER, period)) == events


def test_figure_a2_goes_from_3_to_30_percent():
    last = [scales.SHORT_FIXED.events(PAPER, period)[-1] for period in range(4, 41, 4)]
    assert last == [30, 15, 10, 8, 6, 5, 5, 4, 4, 3]


def test_filters_kept_are_those_of_the_papers():
    def kept(layers, widths):
        clock = Clock(1, 325)
        return [
            schedule.kept(width, len(schedule.steps(clock)))[-1]
            for schedule, width in zip(layers.schedules(PAPER, 40), widths, strict=True)
        ]

    assert kept(scales.VGG11_LAYERS, [512] * 4) == [359, 359, 359, 52]
    assert kept(scales.RESNET18_LAYERS, [512] * 4) == [384, 308, 384, 26]
    assert kept(scales.RESNET18_MORE, [512] * 4) == [384, 103, 384, 26]


def test_a_fixed_rate_gives_the_total_that_its_events_add_up_to():
    layers = scales.SHORT.at_rate(PAPER, 40, (15.0, 15.0, 15.0, 30.0))
    assert layers.fractions == pytest.approx((0.3, 0.3, 0.3, 0.9))
    assert layers.rate(PAPER, 40) == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("group", "layers"), [(scales.RESNET18_SGD, 16), (scales.RESNET20_SGD, 18), (scales.RESNET56_SGD, 54)]
)
def test_every_convolution_inside_the_blocks_is_pruned(group, layers):
    found = arms.blocks(group.network, start=40, end=100, fraction=0.1)
    assert len(found.names) == layers and not any("shortcut" in one or one == "conv1" for one in found.names)
    assert found.events(PAPER, 30)[0] == 3 and found.events(PAPER, 60)[0] == 2
    assert arms.blocks(group.network, start=24, end=100, fraction=0.1).events(PAPER, 1)[0] == 77


@pytest.mark.parametrize(("per_class", "batch", "updates"), [(128, 3, 427), (512, 13, 394), (5000, 128, 391)])
def test_the_batch_keeps_the_number_of_updates(per_class, batch, updates):
    assert batch_for(10 * per_class) == batch and -(-10 * per_class // batch) == updates


def test_a_fifth_of_the_epochs_is_the_schedule_of_a_fifth():
    size = PAPER.replace(compress=5.0)
    slow, fast = (scales.VGG11_LAYERS.schedules(size, period) for period in (4, 40))
    assert {schedule.start for schedule in slow} == {"2ep"} and slow[-1].end == "56ep"
    assert (slow[0].period, fast[0].period) == ("1ep", "8ep")
    assert VGG11.recipe(size).schedule.drops == ("30ep", "60ep")


def test_what_is_cut_until_two_arms_are_one_is_refused():
    with pytest.raises(UsageError, match="compress less"):
        arms.vgg11(v2020_fig3.SCALES["smoke"].replace(compress=80.0))
    with pytest.raises(UsageError, match="compress=20 leaves no epochs"):
        v2019_fig_a3.comparison(
            TraceSize(data="blobs", blobs=40, compress=20.0), examples_per_class=2, augmentation=False
        )
    recipe = CONV4.recipe(PAPER)
    with pytest.raises(UsageError, match="there is no arm 'b'; there are a"):
        Comparison((arm("a", recipe, 1),)).value("b", "best")


def test_conv4_loses_a_sixteenth_of_nine_tenths_of_its_penultimate_layer_at_every_event(tmp_path):
    """16 events after epochs 4 to 19, equal counts, in the one layer, checked on the masks themselves."""
    size = Size(data="blobs", blobs=10, width=0.0625, replicates=1, batch=10)
    group = CONV4
    cut = v2019_fig_a3.prune(group.recipe(size).task.network, "largest", size)
    recipe = during_training(group.recipe(size), cut)
    clock = recipe.clock()
    assert [step // clock.epoch_steps for step in cut.events(clock)] == list(range(4, 20))
    program = Workbench(Store(tmp_path)).program(recipe)
    weights = fresh_weights(program.problem.model, 0)
    total = weights.masks[v2019_fig_a3.LAYER].numel()
    done = train(program, begin(program, weights, 0)).state.weights.masks
    assert int((~done[v2019_fig_a3.LAYER]).sum()) == pytest.approx(0.9 * total, abs=1)
    assert all(bool(mask.all()) for name, mask in done.items() if name != v2019_fig_a3.LAYER)


def test_replicates_of_the_data_size_study_draw_their_own_examples():
    size = TraceSize(data="blobs", blobs=60, width=0.0625, replicates=2)
    comparison = v2019_fig_a3.comparison(size, examples_per_class=2, augmentation=False)
    first, second = comparison.arms[0].runs
    assert first.task.data.source.seed == 0 and second.task.data.source.seed == 1
    assert comparison.arms[2].runs[1].task == second.task


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        (v2019_fig_a3.Settings, "levels", (512, 128)),
        (v2019_fig3.Settings, "rates", (10.0, 10.0)),
        (v2019_fig_a2.Settings, "periods", (20, 4)),
        (v2020_fig3.Settings, "periods", (40, 4)),
        (v2020_fig5.Settings, "batches", (50, 1)),
        (v2020_app_d.Settings, "batches", (50, 50)),
        (v2020_section2.Settings, "keep", (0.5, 0.1)),
    ],
)
def test_what_must_ascend_says_so(settings, field, value):
    with pytest.raises(UsageError, match=r"must ascend, without repetition: \["):
        settings(**{field: value})


@pytest.mark.parametrize("name", STUDIES)
def test_no_setting_is_accepted_and_ignored(name):
    """What is not looked at has no setting, and every setting of a look changes what is computed."""
    module = importlib.import_module(STUDIES[name])
    smoke = module.SCALES["smoke"].replace(replicates=1)
    if name == "bartoldson2020/appC":
        smoke = smoke.replace(parts=("C1", "C2"))  # the part at smoke scale has no statistics anew
    before = {node.id for node in module.build(smoke, "smoke").nodes}
    for field, value in LOOKS.items():
        if field in type(smoke).model_fields:
            after = {node.id for node in module.build(smoke.replace(**{field: value}), "smoke").nodes}
            assert after != before, field
        else:
            with pytest.raises(UsageError, match=f"'{field}' is no setting of this study"):
                changed(smoke, {field: value})


def test_targets_that_repeat_or_lack_what_is_compared_are_refused():
    with pytest.raises(UsageError, match=r"\['S'\] is there more than once"):
        v2019_fig3.Settings(targets=("S", "S", "L"))
    with pytest.raises(UsageError, match=r"targets=\['S', 'R'\] lacks \['L'\]"):
        v2019_fig3.Settings(targets=("S", "R"))
    with pytest.raises(UsageError, match="more than once"):
        yours.Settings(targets=("largest", "largest"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "fc9"}, "fc9.*fc1"),
        ({"end": "7ep"}, "'7ep' is step"),
        (
            {"layer": "fc2", "start": "1it", "end": "12it", "period": "1it"},
            "12 events for the 8 units of fc2.*allow_idle_events",
        ),
        ({"start": "2ep", "end": "1ep"}, "comes before"),
    ],
)
def test_your_own_schedule_is_refused_before_anything_runs(change, message):
    smoke = yours.SCALES["smoke"]
    layer = LayerSchedule(layer="fc1", start="2ep", end="4ep", fraction=0.5, period="2ep").replace(**change)
    with pytest.raises(UsageError, match=message):
        yours.build(smoke.replace(layers=(layer,)), "smoke")
    if "units" in message:
        assert yours.build(smoke.replace(layers=(layer,), allow_idle_events=True), "smoke").nodes
