"""Every number of a report computed again by numpy and scipy, from the exported file of single examples."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

DENSE = ("dense", "twin-1", "twin-2")
PRUNED = ("p50", "p80", "p97")


def wrong(exported, name):
    return exported[f"prediction {name}"] != exported["label"]


def rows(report, table, **where):
    return [row for row in report.table(table) if all(row[key] == value for key, value in where.items())]


@pytest.mark.parametrize("name", ["p50", "p80", "p97"])
def test_what_happened(report, exported, name):
    table = {row["measure"].split(",")[0]: row for row in rows(report, "measures", network=name)}
    twins = ("twin-1", "twin-2")
    for measure, part, scale in (("negative log likelihood", "loss", 1), ("Brier score", "brier", 1)):
        before, after = exported[f"{part} dense"], exported[f"{part} {name}"]
        row, change = table[measure], after - before
        half = stats.norm.ppf(0.975) * change.std() / math.sqrt(500)
        assert (row["dense"], row["pruned"]) == (pytest.approx(before.mean()), pytest.approx(after.mean()))
        assert row["change"] == pytest.approx(change.mean())
        assert (row["low"], row["high"]) == (pytest.approx(change.mean() - half), pytest.approx(change.mean() + half))
        beside = [scale * (exported[f"{part} {twin}"] - before).mean() for twin in twins]
        assert (row["twins low"], row["twins high"]) == (pytest.approx(min(beside)), pytest.approx(max(beside)))
    before, after = wrong(exported, "dense"), wrong(exported, name)
    row, change = table["error"], after * 1.0 - before
    padded = np.append(change, [1.0, -1.0])
    half = 100 * stats.norm.ppf(0.975) * padded.std() / math.sqrt(502)
    assert (row["dense"], row["pruned"]) == (pytest.approx(100 * before.mean()), pytest.approx(100 * after.mean()))
    assert (row["low"], row["high"]) == tuple(pytest.approx(100 * change.mean() + s * half) for s in (-1, 1))


def calibration(confidence, right):
    edges = [round(k * len(right) / 15) for k in range(16)]
    parts = [np.argsort(confidence, kind="stable")[a:b] for a, b in itertools.pairwise(edges)]
    gaps = [
        (confidence[p].mean() - right[p].mean()) ** 2 - right[p].mean() * (1 - right[p].mean()) / (len(p) - 1)
        for p in parts
    ]
    return 100 * math.sqrt(max(0, sum(len(p) * g for p, g in zip(parts, gaps, strict=True)) / len(right)))


@pytest.mark.parametrize("name", ["p50", "p97", "twin-2"])
def test_flips_and_calibration(report, exported, name):
    (row,) = rows(report, "flips", network=name)
    before, after = wrong(exported, "dense"), wrong(exported, name)
    lost, won = int((after & ~before).sum()), int((before & ~after).sum())
    assert (row["lost"], row["won"]) == (lost, won)
    assert row["McNemar p"] == pytest.approx(stats.binomtest(lost, lost + won).pvalue)
    assert row["same answer, %"] == pytest.approx(
        100 * (exported["prediction dense"] == exported[f"prediction {name}"]).mean()
    )
    assert row["KL(dense || network), nats"] == pytest.approx(exported[f"divergence {name}"].mean())
    for column, who in (("dense", "dense"), ("pruned", name)):
        if name in ("p50", "p97"):
            (line,) = rows(report, "measures", network=name, measure="calibration error, %")
            expected = calibration(exported[f"confidence {who}"], ~wrong(exported, who))
            assert line[column] == pytest.approx(expected, abs=1e-6)


def test_to_whom_class_by_class_and_group_by_group(report, exported):
    everywhere = [*report.table("classes"), *report.table("groups")]
    assert {row["family"] for row in everywhere} == {"class", "site", "sex", "site × sex"}
    for row in everywhere:
        columns = {"class": exported["label"].astype(str), "site": exported["group site"], "sex": exported["group sex"]}
        member = np.ones(500, bool)
        for family, name in zip(row["family"].split(" × "), row["group"].split(" × "), strict=True):
            member &= columns[family] == name
        before, after = wrong(exported, "dense")[member], wrong(exported, row["network"])[member]
        assert row["examples"] == member.sum()
        assert row["change"] == pytest.approx(100 * (after.mean() - before.mean()))
        assert (row["lost"], row["won"]) == ((after & ~before).sum(), (before & ~after).sum())
        dense = np.mean([wrong(exported, name)[member].mean() for name in ("dense", "twin-1", "twin-2")])
        assert row["excess over seeds"] == pytest.approx(100 * (after.mean() - dense))
        padded = np.append(after * 1.0 - before, [1.0, -1.0])
        assert -100 <= row["low"] <= row["change"] <= row["high"] <= 100
        if row["high"] == 100:
            continue
        q = (row["high"] - row["change"]) / (100 * padded.std() / math.sqrt(len(padded)))
        single, bonferroni = stats.norm.ppf(1 - 0.05 / 3 / 2), stats.norm.ppf(1 - 0.05 / 3 / 2 / 24)
        assert single <= q <= bonferroni * 1.04  # one q for all 24 groups, between one test and Bonferroni's
    for name in ("p50", "p80", "p97"):
        changes = [row["change"] for row in rows(report, "classes", network=name)]
        assert changes == sorted(changes, reverse=True)


def test_exemplars_between_single_networks_are_their_disagreements(report, exported):
    dense = [exported[f"prediction {name}"] for name in ("dense", "twin-1", "twin-2")]
    for row, name in zip(report.table("exemplars"), ("p50", "p80", "p97"), strict=True):
        against = [100 * (exported[f"prediction {name}"] != one).mean() for one in dense]
        chance = [100 * (dense[a] != dense[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
        assert min(against) <= row["exemplars, %"] <= max(against)
        assert row["by chance, %"] == pytest.approx(np.mean(chance), abs=1.0)
        assert row["false discovery rate"] == pytest.approx(min(1, row["by chance, %"] / row["exemplars, %"]))


def test_the_file_of_examples_marks_exemplars_by_the_majority_of_dense_networks(exported):
    votes = np.stack([exported[f"prediction {name}"] for name in ("dense", "twin-1", "twin-2")])
    majority = stats.mode(votes, axis=0).mode
    for column, name in (("exemplar 57.8 %", "p50"), ("exemplar 98.0 %", "p97")):
        assert (exported[column] == (exported[f"prediction {name}"] != majority)).all()


def test_lists_hold_the_right_examples_most_confident_first(report, exported):
    for table, before, after in (("lost", False, True), ("won", True, False)):
        for name in ("p80", "p97"):
            listed = rows(report, table, network=name)
            expected = np.flatnonzero((wrong(exported, "dense") == before) & (wrong(exported, name) == after))
            assert len(listed) == min(24, len(expected))
            assert {row["index"] for row in listed} <= set(expected.tolist())
            confidences = [row["confidence"] for row in listed]
            assert confidences == sorted(confidences, reverse=True)
            assert (
                confidences[:1] == [pytest.approx(exported[f"confidence {name}"][expected].max())][: len(confidences)]
            )


def members(exported):
    """Which example is in which class and group: the columns of the two tables, crossed ones last."""
    columns = {"class": exported["label"].astype(str), "site": exported["group site"], "sex": exported["group sex"]}
    found = {(name, one): values == one for name, values in columns.items() for one in np.unique(values)}
    for (a, one), (b, other) in itertools.product(
        [("site", s) for s in set(columns["site"])], [("sex", "0"), ("sex", "1")]
    ):
        found[f"{a} × {b}", f"{one} × {other}"] = found[a, one] & found[b, other]
    return found


def test_joint_intervals_are_those_of_a_bootstrap_of_ones_own(report, exported):
    rng, groups = np.random.default_rng(0), members(exported)
    inside = np.stack([np.ones(500, bool), *groups.values()], axis=1)
    for name in PRUNED:
        change = wrong(exported, name) * 1.0 - wrong(exported, "dense")
        n = inside.sum(axis=0)
        apart = np.where(inside, change[:, None] - change @ inside / n, 0.0)
        drawn = np.abs(rng.standard_normal((4000, 500)) @ apart) / np.sqrt((apart**2).sum(axis=0) + 1e-300)
        q = np.quantile(drawn.max(axis=1), 1 - 0.05 / 3)
        for row in (*rows(report, "classes", network=name), *rows(report, "groups", network=name)):
            padded = np.append(change[groups[row["family"], row["group"]]], [1.0, -1.0])
            high = row["change"] + 100 * q * padded.std() / math.sqrt(len(padded))
            assert min(high, 100) == pytest.approx(row["high"], abs=0.05 * (row["high"] - row["change"]))


def test_the_excess_over_seeds_is_that_of_a_permutation_of_ones_own(report, exported):
    rng, groups = np.random.default_rng(0), members(exported)
    inside = np.stack([np.ones(500, bool), *groups.values()], axis=1).astype(float)
    dense = np.stack([wrong(exported, name) for name in DENSE])
    for name in PRUNED:
        total = dense.sum(axis=0) + wrong(exported, name)
        chance = total / 4  # which of the four networks the pruned one is
        spread = np.sqrt((chance * (1 - chance)) @ inside + 3 / 16)
        z = (((rng.random((4000, 500)) < chance) - chance) @ inside) / spread
        up = np.quantile(z.max(axis=1), 1 - 0.05 / 3 / 2)
        for row in (*rows(report, "classes", network=name), *rows(report, "groups", network=name)):
            place = 1 + list(groups).index((row["family"], row["group"]))
            seen = ((wrong(exported, name) - chance) @ inside)[place] / spread[place]
            assert row["dispersion"] >= 1
            if row["dispersion"] == 1.0:
                half = 100 * 4 / 3 * up * spread[place] / inside[:, place].sum()
                below = max(row["excess over seeds"] - half, -100)
                assert row["excess low"] == pytest.approx(below, abs=0.06 * half)
                assert row["p beyond seeds"] == pytest.approx((z.max(axis=1) >= seen - 1e-6).mean(), abs=0.04)


def fifths(exported, judges):
    order = np.argsort(np.mean([exported[f"loss {name}"] for name in judges], axis=0), kind="stable")
    return dict(zip(("easiest", "fifth 2", "fifth 3", "fifth 4", "hardest"), np.split(order, 5), strict=True))


def test_fifths_of_difficulty_are_judged_by_twins_and_twins_by_the_other_twin(report, exported):
    beside = {name: fifths(exported, [other]) for name, other in (("twin-1", "twin-2"), ("twin-2", "twin-1"))}
    for row in report.table("difficulty"):
        assert row["judged by"] == "mean loss of twin-1, twin-2"
        places = fifths(exported, ["twin-1", "twin-2"])[row["group"]]
        change = (wrong(exported, row["network"]) * 1.0 - wrong(exported, "dense"))[places]
        assert (row["examples"], row["change"]) == (100, pytest.approx(100 * change.mean()))
        assert (row["lost"], row["won"]) == ((change > 0).sum(), (change < 0).sum())
        twins = [
            100 * (wrong(exported, twin) * 1.0 - wrong(exported, "dense"))[parts[row["group"]]].mean()
            for twin, parts in beside.items()
        ]
        assert (row["twins low"], row["twins high"]) == (pytest.approx(min(twins)), pytest.approx(max(twins)))


def test_recall_distortion_series_and_smallest_visible_change(report, exported):
    labels = exported["label"]
    for row in report.table("distortion"):
        before, after = (
            [(~wrong(exported, name))[labels == label].mean() for label in range(10)]
            for name in ("dense", row["network"])
        )
        slope = np.polyfit(before, np.subtract(after, before), 1)[0]
        assert row["slope of recall"] == pytest.approx(slope)
    for row in report.table("flips"):
        change = wrong(exported, row["network"]) * 1.0 - wrong(exported, "dense")
        error = math.sqrt((change**2).sum() + 2) / 502
        assert row["smallest visible change, points"] == pytest.approx(
            100 * (stats.norm.ppf([0.975, 0.8]).sum()) * error
        )
    by_network = {name: rows(report, "measures", network=name) for name in PRUNED}
    sparsity = {row["network"]: row["sparsity, %"] for row in report.table("flips")}
    shown = {(row["panel"], row["series"], row["sparsity"]): row["value"] for row in report.table("series")}
    for name, lines in by_network.items():
        for line in lines:
            assert shown[line["measure"], "pruned", sparsity[name]] == line["pruned"]
            assert shown[line["measure"], "dense", sparsity[name]] == line["dense"]
        losses = [row["change"] for table in ("classes", "groups") for row in rows(report, table, network=name)]
        panel = "loss of the worst class or group, points"
        assert shown[panel, "pruned", sparsity[name]] == pytest.approx(max(losses))


def test_the_change_in_calibration_has_the_interval_of_random_halves(report, exported):
    rng = np.random.default_rng(0)
    name, found = "p80", [[], []]
    for rows_ in [np.arange(500), *(rng.permutation(500)[:250] for _ in range(500))]:
        for kind, who in zip(found, ("dense", name), strict=True):
            kind.append(calibration(exported[f"confidence {who}"][rows_], ~wrong(exported, who)[rows_]))
    change = np.subtract(found[1], found[0])
    (row,) = rows(report, "measures", network=name, measure="calibration error, %")
    low, high = 2 * change[0] - np.quantile(change[1:], [0.975, 0.025])
    assert row["change"] == pytest.approx(change[0], abs=1e-6)
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_suspects_and_what_is_given_up(report, exported):
    own = np.mean([np.exp(-exported[f"loss {name}"]) for name in DENSE], axis=0)
    suspects = report.table("suspects")
    shown = [row["probability of the label"] for row in suspects]
    assert shown == pytest.approx([own[row["index"]] for row in suspects], rel=1e-5) and shown == sorted(shown)
    everywhere = np.all([wrong(exported, name) for name in DENSE], axis=0) & (own < min(1 - own.max(), shown[-1]))
    assert set(np.flatnonzero(everywhere)) <= {row["index"] for row in suspects}
    for row in report.table("precision"):
        hits = round(row["flipped, %"] * row["examples"] / 100)
        exact = stats.binomtest(hits, row["examples"]).proportion_ci(0.95, "exact")
        assert (row["low"], row["high"]) == pytest.approx((100 * exact.low, 100 * exact.high))
    right = ~np.any([wrong(exported, name) for name in DENSE], axis=0)
    given = np.flatnonzero(right & np.all([wrong(exported, name) for name in PRUNED], axis=0))
    rise = np.mean([exported[f"loss {name}"] for name in PRUNED], axis=0) - exported["loss dense"]
    assert [row["index"] for row in report.table("given-up")] == sorted(given, key=lambda k: -rise[k])[:24]


def test_every_line_of_the_gate(report, exported):
    for row in report.table("gate"):
        name, (kind, bound) = row["network"], row["bound"].split("=")
        if kind == "max-class-loss":
            (like,) = rows(report, "classes", network=name, group=row["group"].removeprefix("class "))
            n, numbers = like["examples"], [like[end] for end in ("change", "low", "high")]
        else:
            change = wrong(exported, name) * 1.0 - wrong(exported, "dense")
            if kind == "max-disagreement":
                change = (exported[f"prediction {name}"] != exported["prediction dense"]) * 1.0
            n, padded = 500, np.append(change, [1.0, -1.0])
            half = stats.norm.ppf(0.975) * padded.std() / math.sqrt(502)
            ends = [change.mean(), max(change.mean() - half, -1), min(change.mean() + half, 1)]
            numbers = [100 * end for end in ends] if kind == "max-disagreement" else numbers_of_all(row, change)
        shown = [row[end] for end in ("change", "low", "high")]
        assert (row["examples"], shown) == (n, pytest.approx(numbers))
        estimate, low, high = numbers
        expected = "kept" if high < float(bound) else "broken" if low > float(bound) else "cannot tell"
        assert row["answer"] == expected
        if expected == "cannot tell":
            half = estimate - low if estimate > float(bound) else high - estimate
            assert row["examples needed"] == math.ceil(n * (half / (estimate - float(bound))) ** 2)


def numbers_of_all(row, change):
    """Of all examples, jointly with classes and groups: the estimate is checked, the ends are the joint ones."""
    assert row["low"] < 100 * change.mean() < row["high"]
    return [100 * change.mean(), row["low"], row["high"]]
