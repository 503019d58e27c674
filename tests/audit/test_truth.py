"""What an audit claims, where the truth is known: nothing was pruned, harm was planted, labels were changed."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).parent))  # for `audit_worlds`

from audit_worlds import evidence, harm, said, world

import prunescope as ps
from prunescope.audit import examples
from prunescope.audit.tables import Findings
from prunescope.measures import Outputs
from prunescope.studies.contrast import Contrast
from prunescope.studies.groups import by_difficulty


def plant(log_p, label, rows):
    """The last network answers these examples, which it had right, with a wrong class."""
    for k in rows:
        log_p[-1, k, [label[k], (label[k] + 1) % log_p.shape[2]]] = log_p[
            -1, k, [(label[k] + 1) % log_p.shape[2], label[k]]
        ]
        others = np.delete(log_p[-1, k], label[k])
        assert others.max() >= log_p[-1, k, label[k]]


def lose(log_p, label, group, count, rng):
    right = np.flatnonzero(group & (log_p[-1].argmax(axis=1) == label))
    plant(log_p, label, rng.choice(right, count, replace=False))


def alarms(pool, label, pairs, twins, seed=0):
    """In how many audits of one dense network against another, harm is claimed."""
    rng, count = np.random.default_rng(seed), 0
    for _ in range(pairs):
        chosen = pool[rng.choice(len(pool), twins + 2, replace=False)]
        count += bool(harm(evidence(chosen, label, site=np.arange(len(label)) % 4)))
    return count


@pytest.mark.parametrize("twins", [1, 3])
def test_where_nothing_was_pruned_harm_is_hardly_ever_claimed(twins):
    count = 0
    for seed in range(60):
        log_p, label, _ = world(seed, twins + 2, examples=1000)
        count += bool(harm(evidence(log_p, label, site=np.arange(1000) % 4)))
    assert count <= stats.binom.ppf(0.99, 60, 0.05)


def test_a_group_of_50_that_loses_10_points_is_found():
    found = false = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        log_p, label, _ = world(seed, 9, examples=2000, together=0.05, noise=0.1)
        group = np.zeros(2000, int)
        group[rng.choice(2000, 50, replace=False)] = 1
        lose(log_p, label, group == 1, 5, rng)
        shown = harm(evidence(log_p, label, site=group))
        found += "beyond-seeds-groups-0" in shown
        false += "beyond-seeds-classes-0" in shown
    assert found >= 27 and false <= 4


def test_what_everybody_loses_is_found_whoever_is_looked_at():
    log_p, label, _ = world(0, 5, shift=0.6)
    shown = harm(evidence(log_p, label, site=np.arange(2000) % 2))
    assert set(shown) == {"beyond-seeds-overall-0", "beyond-seeds-classes-0", "beyond-seeds-groups-0"}


def test_without_a_twin_nobody_blames_pruning():
    log_p, label, _ = world(0, 2, shift=0.6)
    words = said(evidence(log_p, label))
    assert words["differs-0"] == "shown" and words["beyond-seeds-overall-0"] == "not run"


def hardest_changes(twins, by, worlds=60):
    """The change in error of the hardest fifth over worlds in which nothing was pruned, [worlds]."""
    changes = []
    for seed in range(worlds):
        log_p, label, neighbours = world(seed, twins + 2, examples=1000, noise=0.6)
        known = evidence(log_p, label, neighbours=neighbours)
        one = Findings(known).pruned[0]
        parts = by_difficulty(one.dense.loss) if by == "own" else one.by_difficulty[1]
        changes.append(one.change[parts[-1].rows].mean())
    return np.array(changes)


def test_by_its_own_loss_the_dense_networks_hardest_gain_where_nothing_was_pruned_and_by_ours_they_do_not():
    own = stats.ttest_1samp(hardest_changes(0, "own", worlds=120), 0)
    assert own.statistic < -4
    for twins in (0, 1, 2):
        ours = stats.ttest_1samp(hardest_changes(twins, "ours"), 0)
        assert abs(ours.statistic) < 3, f"{twins} twins"


def test_flipped_labels_are_among_the_suspects_with_the_precision_that_is_printed():
    printed, true, found = [], [], 0
    for seed in range(10):
        log_p, clean, _ = world(seed, 4)
        rng = np.random.default_rng(seed)
        printed.append({row["examples"]: row["flipped, %"] for row in examples.precision(evidence(log_p, clean))})
        label = clean.copy()
        flipped = rng.choice(2000, 40, replace=False)
        label[flipped] = (label[flipped] + rng.integers(1, 10, 40)) % 10
        listed = [row["index"] for row in examples.suspects(evidence(log_p, label))]
        true.append({n: 100 * np.isin(listed[:n], flipped).mean() for n in (16, 32, 64)})
        found += len(set(listed) & set(flipped))
    assert found >= 0.9 * 400
    for n in (16, 32, 64):
        said, real = (np.mean([one[n] for one in many]) for many in (printed, true))
        assert said == pytest.approx(real, abs=6) and real > 35


def test_equal_dense_networks_are_no_twins_and_a_pruned_network_may_be_equal_to_the_dense_one():
    log_p, label, _ = world(0, 3)
    log_p[-1] = log_p[0]
    known = evidence(log_p, label)
    one = Contrast(known, known.pruned[0])
    assert (one.lost.sum(), one.won.sum(), one.mcnemar, one.agreement) == (0, 0, 1.0, 1.0)
    assert harm(known) == []


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Answers of 240 dense networks of different seeds to the 500 test digits, really trained: a minute."""
    net = ps.network("prunescope.tasks.nets:LeNet", inputs=64, hidden=(100,))
    task = ps.Task(network=net, data=ps.Data(source=ps.digits()))
    training = {"optimizer": ps.SGD(momentum=0.9), "schedule": ps.Constant(lr=0.05), "batch": 64, "length": "15ep"}
    runs = ps.replicates(ps.Recipe(task=task, **training), 240)
    readings = [ps.Reading(measure=Outputs(), state=ps.final(run)) for run in runs]
    results = ps.ensure(readings, store=tmp_path_factory.mktemp("pool"))
    return np.stack([results[node]["log_probability"] for node in readings]), results[readings[0]]["label"]


@pytest.mark.slow
@pytest.mark.parametrize("twins", [1, 3, 7])
def test_800_pairs_of_trained_dense_networks(pool, twins):
    count = alarms(*pool, 800, twins)
    print(f"{twins} twins: harm is claimed in {count} of 800 audits")
    assert count <= stats.binom.ppf(0.99, 800, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("twins", "least"), [(1, 35), (3, 50), (7, 90)])
def test_100_planted_harms_of_trained_networks(pool, twins, least):
    log_p, label = pool
    found, rng = 0, np.random.default_rng(0)
    for _ in range(100):
        chosen = log_p[rng.choice(len(log_p), twins + 2, replace=False)].copy()
        site = rng.permutation(len(label)) % 10
        lose(chosen, label, site == 0, 5, rng)
        one = Findings(evidence(chosen, label, site=site)).pruned[0]
        found += one.floor.excess.low[one.places("site")[0]] > 0
    print(f"{twins} twins: a group of 50 that loses 10 points is found in {found} of 100 audits")
    assert found >= least
