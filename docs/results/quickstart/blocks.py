"""Would ten machines reach the verdicts of the quickstart? Rounding makes other networks of the same seeds.

Ten blocks of other seeds stand for ten machines, which is harder.
Run `python docs/results/quickstart/blocks.py` for the rows that blocks.csv lacks and a count; half an hour on a core.
"""

import argparse
import csv
from collections import Counter, defaultdict
from pathlib import Path

import prunescope as ps
from prunescope.papers.quickstart import SCALES, build
from prunescope.studies.judging import judge
from prunescope.studies.looks import FIRST, looks
from prunescope.studies.sequential import until_decided

TABLE = Path(__file__).with_name("blocks.csv")
FIELDS = ("block", "claim", "verdict", "n", "estimate", "low", "high")
MOST = 10


def verdicts(block: int, store: str) -> list[dict[str, object]]:
    """A row a claim; block k has the seeds 100 k, 100 k + 1 and so on, the quickstart 0, 1 and so on."""

    def study(replicates: int) -> ps.Study:
        return build(SCALES["laptop"].replace(first=100 * block, replicates=replicates), "laptop")

    pinned: list[object] = []

    def make(nodes):
        pinned.extend(nodes)
        return ps.ensure(pinned, store=store, workers=1, stack=12)

    decided = until_decided(study, looks(FIRST, MOST), make).study
    results = make(())
    judged = [judge(claim, results) for claim in decided.claims]
    return [
        {
            "block": block,
            "claim": one.claim.name,
            "verdict": one.interval_rule,
            "n": one.n,
            "estimate": f"{one.interval.estimate:.4g}",
            "low": f"{one.interval.low:.4g}",
            "high": f"{one.interval.high:.4g}",
        }
        for one in judged
    ]


def main() -> None:
    """Adds rows, and counts how many blocks have all verdicts of the majority."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blocks", nargs="*", type=int, default=range(1, 11), help="which; by default 1 to 10")
    parser.add_argument("--store", default="prunescope-store")
    options = parser.parse_args()
    if not TABLE.exists():
        TABLE.write_text(",".join(FIELDS) + "\n")
    for block in options.blocks:
        if str(block) not in {row["block"] for row in rows()}:
            new = verdicts(block, options.store)
            with TABLE.open("a", newline="") as file:
                csv.DictWriter(file, FIELDS, lineterminator="\n").writerows(new)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows():
        found[row["block"]][row["claim"]] = row["verdict"]
    usual = {}
    for claim in next(iter(found.values())):
        counts = Counter(block[claim] for block in found.values())
        usual[claim] = counts.most_common(1)[0][0]
        print(f"{claim}: {', '.join(f'{verdict} in {count}' for verdict, count in counts.most_common())}")
    print(
        f"all verdicts those of the majority: {sum(block == usual for block in found.values())} of {len(found)} blocks"
    )


def rows() -> list[dict[str, str]]:
    """Of the table, as text."""
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
