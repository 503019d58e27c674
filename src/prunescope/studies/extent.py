"""How much of a paper's experiment a study runs, in the words that stand beside each of its verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from prunescope.base.value import Value
from prunescope.runs.graph.nodes import describe

Cut = Mapping[str, tuple[object, object]]
"""Settings by name: the value here, and that at the study's scale "paper"."""
SHOWN = 3
"""Settings that a verdict names; more are counted. The page lists all."""
OTHERWISE = "Other than at this study’s scale `paper`, which has the paper’s settings as far as it states them"


@dataclass(frozen=True)
class Extent:
    """How a study stands to the paper's experiment, as the study's scale "paper" has it.

    scale: its name, such as "smoke", "laptop" or "paper".
    cut: every setting that is not that of the scale "paper", with the value here and there; empty at that scale. What
        the paper does not state is proposed there.
    data: what data are that are not the published files, such as "CIFAR-10 (JPEG copies)".
    recalled: whether the paper's setting is remembered or proposed, as its text was not at hand.
    """

    scale: str
    cut: Cut = field(default_factory=dict)
    data: tuple[str, ...] = ()
    recalled: bool = False

    def __str__(self) -> str:
        """What follows the outcome of a verdict: nothing at the paper's own setting."""
        where, others = "", [*self.cut, *["data"] * bool(self.data)]
        if self.scale != "paper":
            where = f" at {self.scale} scale"
        elif others:
            more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            where = f" at paper scale but for {', '.join(others[:SHOWN])}{more}"
        return where + (", setting recalled" if self.recalled else "")

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, a sentence each."""
        cut = "; ".join(f"{name} {here} (there {there})" for name, (here, there) in self.cut.items())
        return tuple(
            text
            for text, shown in (
                (f"{OTHERWISE}: {cut}.", self.cut),
                ("The paper’s own setting is recalled or proposed: its text was not at hand.", self.recalled),
                *((f"Data: {text}.", True) for text in self.data),
            )
            if shown
        )


def extent(
    scale: str, settings: Value, paper: Value, *, recalled: bool = False, also: Cut = MappingProxyType({})
) -> Extent:
    """That of settings beside those of the scale "paper", with `also`; more replicates than there are no cut."""
    here, there = (flat(describe(each)) for each in (settings, paper))
    names = [name for name in (here | there) if here.get(name) != there.get(name)]
    cut = {name: (here.get(name, "none"), there.get(name, "none")) for name in names if not name.endswith("kind")}
    most, own = cut.get("replicates", (0, 0))
    if isinstance(most, int) and isinstance(own, int) and most > own:
        del cut["replicates"]
    return Extent(scale, {**cut, **also}, recalled=recalled)


def flat(record: object) -> dict[str, object]:
    """Nested mappings as one level of dotted names; anything else has none."""
    rows: dict[str, object] = {}
    for name, value in record.items() if isinstance(record, Mapping) else ():
        if isinstance(value, Mapping):
            rows |= {f"{name}.{inner}": leaf for inner, leaf in flat(value).items()}
        else:
            rows[name] = value
    return rows
