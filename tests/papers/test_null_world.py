"""In the null world of all studies, at most 5 % of the claims that something differs are decided."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from made_up_worlds import World, smoke_names, smoke_study

from prunescope.runs.store.results import Missing
from prunescope.studies.judging import judge
from prunescope.studies.null_world import null_world
from prunescope.studies.region import Direction, TwoSided


class NullWorld(World):
    """Of kinds of nodes that no study has with treatments there are no specimens."""

    def __getitem__(self, node):
        try:
            return super().__getitem__(node)
        except KeyError as problem:
            raise Missing(f"{node.id} has no specimen") from problem


def claims_difference(claim):
    """Whether it says that a mean is more or less than another one, which must not be decided in a null world."""
    region = claim.region
    return type(region) in (Direction, TwoSided) and region.than == 0.0 and not region.or_matches


def test_at_most_5_percent_of_differences_are_decided():
    worlds, outcomes = [NullWorld(number) for number in (1,)], Counter()
    for name in smoke_names():
        # Without the whole papers, which are put together of these, and without claims on how measures of the same
        # networks go together, which other seeds do not part.
        if ("/" in name or name == "quickstart") and not name.startswith("cross/"):
            for claim in filter(claims_difference, null_world(smoke_study(name)).claims):
                # Whatever its preconditions say: it is the statistics that are looked at.
                outcomes.update(judge(replace(claim, preconditions=()), world).interval_rule for world in worlds)
    decided = outcomes["reproduced"] + outcomes["contradicted"]
    assert outcomes["inconclusive"] > 120
    assert decided <= 0.05 * (decided + outcomes["inconclusive"])
