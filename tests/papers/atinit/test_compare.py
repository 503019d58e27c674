"""All methods of pruning at initialization on the digits: same sparsity, honest controls, collapse in the open."""

import re
from pathlib import Path

import numpy as np
import pytest

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.papers.atinit import compare
from prunescope.papers.atinit.methods import (
    BERNOULLI,
    DENSE,
    REWOUND,
    SCORES,
    VARIANTS,
    control,
    methods,
    scores,
)
from prunescope.papers.atinit.quantities import Arms
from prunescope.papers.readings import layer_sparsity, risk_on_train
from prunescope.papers.yang2023 import mnist, real
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import during_training
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.studies.publish import publish
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

SMOKE = compare.SCALES["smoke"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def study():
    return compare.build(SMOKE, "smoke")


@pytest.fixture(scope="module")
def results(study, store):
    return ensure(study.nodes, store=store, workers=1)


@pytest.fixture(scope="module")
def arms():
    return Arms(SMOKE.ground, SMOKE.methods)


@pytest.mark.slow
def test_the_report_shows_every_method_and_judges_every_claim(study, results, store, tmp_path):
    done = publish(study, store, tmp_path)
    assert not done.failures
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {f.name for f in study.figures}
    assert all(verdict.n == 2 for verdict in done.verdicts)
    shown = {row["method"] for row in study.figures[0].table(results)}
    assert shown == {m.name for m in SMOKE.methods} | {DENSE, REWOUND}


@pytest.mark.slow
def test_the_page_on_all_methods_is_filled_from_columns_that_there_are(study, results):
    page = (Path(__file__).parents[3] / "docs" / "pruning-at-initialization.md").read_text()
    mark = re.search(r"table: (\S+); rows: (\w+); columns: (\w+); values: (\w+) -->", page)
    assert mark[1] == f"results/{study.name}/data/{study.figures[0].name}.csv"
    assert {*mark.groups()[1:], "replicate"} <= set(study.figures[0].table(results)[0])


@pytest.mark.slow
def test_all_methods_meet_at_one_sparsity(arms, results):
    dense = arms.at(DENSE, 0.0).runs[0]
    weights = tree.size(Workbench(results.store).store.weights(dense.id, Moment().id).masks)
    for networks in arms.networks.values():
        asked = 100 * 0.8**networks.exponent
        far = 100 * 4 * (0.25 / weights) ** 0.5 if networks.method == BERNOULLI.name else 100 / weights
        for row in networks.table(results):
            assert abs(row["weights_remaining"] - asked) <= far, networks.method


@pytest.mark.slow
def test_controls_keep_as_many_weights_of_each_layer(arms, results):
    for name in (*SCORES, "SNIP in rounds"):
        for exponent in SMOKE.ground.exponents:
            by_score, shuffled = (arms.at(one, 0.0, exponent) for one in (name, control(name)))
            for layers, twin in zip(by_score.layers, shuffled.layers, strict=True):
                assert results[layers] == results[twin]


@pytest.mark.slow
def test_rewound_masks_start_from_the_first_weights_of_their_replicate(arms, results, store):
    first = Moment(when="step", at="0it")
    dense, earlier, ticket = (arms.at(REWOUND, 0.0, exponent).runs[0] for exponent in (0, 2, 10))
    pruned = Moment(when="after", at="0it")
    ensure(StateRef(run=dense, moment=first), StateRef(run=ticket, moment=pruned), store=store, workers=1)
    begun = store.weights(dense.id, first.id).params
    rewound = store.weights(ticket.id, pruned.id)
    assert tree.equal(rewound.params, tree.masked(begun, rewound.masks))
    ends = [store.weights(run.id, Moment().id) for run in (earlier, ticket)]
    assert all(not bool((ends[1].masks[n] & ~ends[0].masks[n]).any()) for n in ends[0].masks)


def test_the_study_of_random_pruning_shares_its_runs():
    ground = SMOKE.ground.replace(noises=(0.0, 0.2))
    both = [
        {node.state.run.id for node in made.nodes if hasattr(node, "state")}
        for made in (
            compare.build(SMOKE, "smoke"),
            real.study("s", "?", real.Settings(ground=ground, over=10), "smoke"),
        )
    ]
    of_random = (1 + 2 * len(ground.exponents)) * ground.replicates
    assert len(both[0] & both[1]) == of_random
    laptop = mnist.SCALES["laptop"].ground
    assert laptop.replace(noises=(0.0,)) == compare.SCALES["laptop"].ground


def test_layer_collapse_is_counted_and_its_error_shown(store):
    ground = SMOKE.ground.replace(exponents=(2, 30), replicates=1, epochs=1)
    few = Arms(ground, (BERNOULLI,), rewound=False)
    shown = compare.rows(few, compare.groups(few))
    results = ensure([node for part in shown for node in part.nodes], store=store, workers=1)
    rows = [row for part in shown for row in part.table(results)]
    dense, mild, empty = rows
    assert (dense["method"], dense["empty_layers"], mild["empty_layers"]) == (DENSE, 0, 0)
    assert few.at(BERNOULLI.name, 0.0, 30).empty_layers(results) == empty["empty_layers"]
    assert empty["empty_layers"] >= 1 and "fc" in empty["which_are_empty"]
    assert np.isnan(empty["thinnest_layer"]) and empty["test_error"] > 80
    assert [row["learned_nothing"] for row in rows] == [0, 0, 100]


def test_rewound_masks_are_judged_beside_masks_chosen_before_training_only():
    """Masks that move and shuffled controls err least here, and are not among the methods at initialization."""
    settings = compare.SCALES["smoke"].replace(judged=10)
    (claim,) = (c for c in compare.build(settings, "smoke").claims if c.name == "rewound-beats-all-0")
    each = Arms(settings.ground, settings.methods)
    errors = {REWOUND: 0.02, "SNIP": 0.03, "SET": 0.01, "RigL": 0.01, control("SNIP"): 0.01}
    made = {}
    for (name, _, exponent), networks in each.networks.items():
        if exponent == settings.judged:
            made |= {key: {"error": np.array(errors.get(name, 0.04))} for key in networks.risks["test"]}
    assert claim.quantity(made) == pytest.approx([1.0, 1.0])
    assert not {"SET", "RigL", control("SNIP")} & set(settings.at_initialization)


def test_networks_with_convolutions_also_get_the_law_with_kernels():
    plain, deep = ({m.name for m in methods(scores(), convolutions=c)} for c in (False, True))
    assert deep - plain == {"Erdos-Renyi-kernel"}
    (start, _) = next(m for m in methods(scores(), convolutions=True) if m.name == "RigL").make(0.1)
    assert start.scope == "erdos_renyi_kernel"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exponents": (4, 2)}, "must ascend"),
        ({"noises": (0.2, 0.2)}, "must ascend"),
        ({"exponents": ()}, "at least 1"),
        ({"exponents": (0,)}, "greater than or equal to 1"),
        ({"noises": (1.0,)}, "less than 1"),
        ({"share": 0.0}, "greater than 0"),
        ({"benchmark": "resnet20"}, "no meaning for resnet20"),
        ({"benchmark": "alexnet"}, "'digits', 'lenet'"),
    ],
)
def test_impossible_grounds_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        SMOKE.ground.replace(**changes)


def test_claims_are_judged_only_where_something_runs():
    with pytest.raises(UsageError, match=r"lack \[8\]"):
        SMOKE.replace(judged=8)
    with pytest.raises(UsageError, match=r"lack \[20\]"):
        real.Settings(ground=SMOKE.ground)


def test_a_network_that_is_not_there_is_named(arms):
    with pytest.raises(UsageError, match=r"no network of 'SNIPP' .* 0\.8\^2"):
        arms.at("SNIPP", 0.0, 2)
    with pytest.raises(UsageError, match=r"exponents \(2, 10\)"):
        arms.at("SNIP", 0.0, 3)


def test_batches_and_rounds_reach_the_scores():
    made = {m.name: m.make(0.1)[0] for m in SMOKE.replace(batches=3, rounds=7).methods}
    assert made["SNIP"].score.batches == made["GraSP"].score.batches == 3
    assert made["SynFlow"].rounds == made["SNIP in rounds"].rounds == 7
    assert made["SNIP in rounds"].prune.score.batches == 3
    with pytest.raises(UsageError, match="greater than or equal to 1"):
        SMOKE.replace(rounds=0)


@pytest.fixture(scope="module")
def small_mnist():
    """Examples of MNIST's shape and number of classes, few of them."""
    source = synthetic(classes=10, shape=(1, 28, 28), train=60, test=20, separation=20.0)
    return Recipe(
        task=Task(network=network("prunescope.tasks.nets:LeNet"), data=Data(source=source)),
        optimizer=SGD(),
        schedule=Constant(lr=0.3),
        batch=20,
        length="25it",
    )


EVERY = (*methods(scores(rounds=2, iterative=True), convolutions=True, period="2it"), *VARIANTS)


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.name)
def test_every_method_trains_the_lenet_of_mnist(method, small_mnist, store):
    """300 and 100 hidden neurons, 28 by 28 pixels; the training loss falls below that of guessing."""
    density = 0.08
    run = during_training(small_mnist, *method.make(density))
    results = ensure([risk_on_train(run), layer_sparsity(run)], store=store, workers=1)
    excess = 1000 if method.name == "Bernoulli, output kept" else 0
    assert results[run]["parameters"] == 266_610
    kept = (1 - float(results[layer_sparsity(run)]["sparsity"])) * 266_200
    assert kept == pytest.approx(density * 266_200 + excess, abs=600)
    assert float(results[risk_on_train(run)]["loss"]) < 0.9 * np.log(10)
