"""The tables of an audit: what happened, to whom, which examples. Percent and percentage points, worst first.

Belongs here: rows from contrasts. Does not belong here: statistics (`contrast.py`), verdicts (`claims.py`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from prunescope.measures.answers import Answers, recall_distortion
from prunescope.studies import paired
from prunescope.studies.contrast import Contrast, Evidence
from prunescope.studies.flips import beside_chance, flagged
from prunescope.studies.groups import Part
from prunescope.studies.paired import Flags
from prunescope.studies.plot import Row
from prunescope.studies.statistics import Interval


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that is computed of an audit, each part when it is first asked for.

    evidence: the networks' answers.
    delta: points of error that a class or group may lose in what is called a safe sparsity.
    under: what is found where the examples are shown otherwise, by the name of the condition.
    doubts: what would make most of it mean something else, a sentence each; at the head of all that is said.
    """

    evidence: Evidence
    delta: float = 1.0
    under: Mapping[str, "Findings"] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @cached_property
    def pruned(self) -> list[Contrast]:
        """Every pruned network against the dense one; they share 5 % of error among them."""
        level = 1 - (1 - paired.LEVEL) / len(self.evidence.pruned)
        return [Contrast(self.evidence, other, level) for other in self.evidence.pruned]

    @cached_property
    def twins(self) -> list[Contrast]:
        """Every twin against the dense network: the noise floor."""
        return [Contrast(self.evidence, twin) for twin in self.evidence.twins]

    @cached_property
    def controls(self) -> list[Contrast]:
        """Every control against the dense network, by the intervals of a pruned one."""
        level = self.pruned[0].level
        return [Contrast(self.evidence, other, level) for other in self.evidence.controls]

    @property
    def treated(self) -> list[Contrast]:
        """Pruned networks and controls: what tables have rows of."""
        return [*self.pruned, *self.controls]

    @cached_property
    def measures(self) -> list[Row]:
        """Every measure of every network: value of the dense one, of this one, change with its 95 % interval."""
        return [
            {
                "network": one.other.name,
                "measure": name,
                "dense": scale * value(one.dense),
                "pruned": scale * value(one.other),
                **_interval(change(one), scale),
                **_beside([scale * (value(twin) - value(one.dense)) for twin in self.evidence.twins]),
            }
            for one in self.treated
            for name, scale, value, change in _MEASURES
        ]

    @cached_property
    def flips(self) -> list[Row]:
        """Lost and won examples, exact McNemar, and how far the answers are apart; the twins' rows below."""
        return [
            {
                "network": one.other.name,
                "sparsity, %": 100 * one.other.sparsity,
                "lost": int(one.lost.sum()),
                "won": int(one.won.sum()),
                "McNemar p": one.mcnemar,
                "same answer, %": 100 * one.agreement,
                "KL(dense || network), nats": float(one.divergence.mean()),
                "smallest visible change, points": 100 * paired.smallest_visible(one.change),
            }
            for one in (*self.treated, *self.twins)
        ]

    def groups(self, *families: str) -> list[Row]:
        """The change in error of every class, or of every group of the user's (no family named), worst first."""
        return [row for one in self.treated for row in self._groups(one, families)]

    def _groups(self, one: Contrast, families: Sequence[str]) -> list[dict[str, Any]]:
        rows = [
            self._part(one, one.parts[place], one.changes.interval(place), self.twins) | self._beyond(one, place)
            for place in one.places(*families)
        ]
        return sorted(rows, key=lambda row: -row["change"])

    def _beyond(self, one: Contrast, place: int) -> dict[str, Any]:
        if not self.evidence.twins:
            return {}
        excess = one.floor.excess.interval(place).times(100)
        ends = {"excess over seeds": excess.estimate, "excess low": excess.low, "excess high": excess.high}
        return ends | {"p beyond seeds": float(one.floor.p[place]), "dispersion": float(one.floor.dispersion[place])}

    @cached_property
    def difficulty(self) -> list[Row]:
        """The change in error by fifths of difficulty, easiest first."""
        rows: list[Row] = []
        twins = [twin.by_difficulty[2] for twin in self.twins] if len(self.twins) > 1 else []
        for one in self.treated:
            judge, parts, changes = one.by_difficulty
            for k, part in enumerate(parts):
                beside = _beside([100 * family.interval(k).estimate for family in twins])
                rows.append(self._part(one, part, changes.interval(k), []) | beside | {"judged by": judge})
        return rows

    def _part(self, one: Contrast, part: Part, change: Interval, twins: Sequence[Contrast]) -> dict[str, Any]:
        return {
            "network": one.other.name,
            "family": part.family,
            "group": part.name,
            "examples": int(part.rows.sum()),
            "dense": 100 * float(one.dense.wrong[part.rows].mean()),
            "pruned": 100 * float(one.other.wrong[part.rows].mean()),
            **_interval(change, 100),
            "lost": int(one.lost[part.rows].sum()),
            "won": int(one.won[part.rows].sum()),
            **_beside([100 * float(twin.change[part.rows].mean()) for twin in twins]),
            "title": part.title,
        }

    @cached_property
    def distortion(self) -> list[Row]:
        """The recall distortion of every network, twins included; of two classes there is none."""
        rows: list[Row] = []
        classes = [part.rows for part in self.pruned[0].parts if part.family == "class"]
        for one in (*self.treated, *self.twins):
            before, after = ([1 - who.wrong[rows].mean() for rows in classes] for who in (one.dense, one.other))
            rows.append({"network": one.other.name, "slope of recall": recall_distortion(before, after)})
        return rows if len(classes) > 2 else []

    @cached_property
    def populations(self) -> dict[str, list[Answers]]:
        """Pruned networks by their sparsity to a tenth of a percent, in words; controls by their name up to "of 1"."""
        sets: dict[str, list[Answers]] = {}
        for one in self.evidence.pruned:
            sets.setdefault(f"{100 * one.sparsity:.1f} %", []).append(one)
        for one in self.evidence.controls:
            sets.setdefault(re.sub(r" of \d+$", "", one.name), []).append(one)
        return sets

    @cached_property
    def exemplars(self) -> list[Row]:
        """Pruning-identified exemplars of every population, beside those that sets of dense networks flag by chance."""
        seeds = self.evidence.seeds if self.evidence.twins else ()
        return [beside_chance(seeds, members, name) for name, members in self.populations.items() if seeds]

    @property
    def exemplar_flags(self) -> dict[str, Flags]:
        """Which examples are exemplars of a population, all networks of both kinds taken, [N] by its sparsity."""
        return {name: flagged(self.evidence.seeds, members) for name, members in self.populations.items()}

    @cached_property
    def series(self) -> list[Row]:
        """Every measure and the loss of the worst class or group over sparsity, with the dense network's measures."""
        rows: list[Row] = []
        contrasts = {one.other.name: one for one in self.treated}
        for name, members in self.populations.items():
            for number, one in enumerate(contrasts[member.name] for member in members):
                series = name if one in self.controls else "pruned"
                point = {"sparsity": 100 * one.other.sparsity, "replicate": number}
                for panel, scale, value, _ in _MEASURES:
                    for which, who in ((series, one.other), ("dense", one.dense)):
                        rows.append({"panel": panel, "series": which, **point, "value": scale * value(who)})
                worst = 100 * one.changes.at(one.grouped).worst.estimate
                panel = "loss of the worst class or group, points"
                rows.append({"panel": panel, "series": series, **point, "value": worst})
        return rows

    def shifted(self, table: Callable[["Findings"], Sequence[Row]]) -> list[Row]:
        """The rows of a table under every condition."""
        return [{"condition": name, **row} for name, found in self.under.items() for row in table(found)]

    @cached_property
    def robustness(self) -> list[Row]:
        """The error of every network by corruption and severity, 0 without."""
        parts = [(name.partition(" "), found) for name, found in self.under.items() if " " in name]
        severe = [(corruption, severity, found) for (corruption, _, severity), found in parts]
        plain = [(corruption, "0", self) for corruption in dict.fromkeys(corruption for corruption, *_ in severe)]
        return [
            {
                "corruption": corruption,
                "severity": int(severity),
                "network": one.name,
                "series": "another seed" if one in found.evidence.twins else one.name,
                "error, %": 100 * float(one.wrong.mean()),
            }
            for corruption, severity, found in (*plain, *severe)
            for one in found.evidence.networks
        ]

    @cached_property
    def safe(self) -> tuple[float | None, str]:
        """The highest sparsity at which no class or group loses more than delta, and what stops there.

        Sparsities are tested in order, each at 95 %, up to the first that is not shown to be safe; so no correction
        for their number is needed.
        """
        best = None
        for one in sorted(self.pruned, key=lambda one: one.other.sparsity):
            alone = Contrast(self.evidence, one.other)
            worst = alone.changes.worst
            if not worst.high <= self.delta / 100:
                shown = "loses" if worst.low > self.delta / 100 else "may lose"
                return best, f"; at {100 * one.other.sparsity:.1f} % some {shown} more"
            best = one.other.sparsity
        return best, ""


def _interval(interval: Interval, scale: float) -> dict[str, Any]:
    return {"change": scale * interval.estimate, "low": scale * interval.low, "high": scale * interval.high}


def _beside(twins: Sequence[float]) -> dict[str, Any]:
    """The twins' changes beside the pruned network's; nothing where there is no twin."""
    if not twins:
        return {}
    return {"twins": float(np.mean(twins)), "twins low": min(twins), "twins high": max(twins)}


_MEASURES: tuple[tuple[str, float, Callable[[Answers], float], Callable[[Contrast], Interval]], ...] = (
    ("error, %", 100, lambda one: float(one.wrong.mean()), lambda c: c.overall),
    ("negative log likelihood, nats", 1, lambda one: float(one.loss.mean()), lambda c: c.moved(lambda one: one.loss)),
    ("Brier score", 1, lambda one: float(one.brier.mean()), lambda c: c.moved(lambda one: one.brier)),
    ("calibration error, %", 100, lambda one: one.calibration, lambda c: c.calibration),
)
