"""`python -m benchmarks`: asks all questions, prints the report and saves it as docs/benchmarks.md."""

import argparse
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks import report
from benchmarks.auditing import auditing
from benchmarks.cluster import cluster
from benchmarks.convolution import convolution
from benchmarks.convolutional_stack import convolutional_stack
from benchmarks.digits import digits
from benchmarks.environment import environment
from benchmarks.epochs import epochs
from benchmarks.evaluation import evaluation
from benchmarks.flatness import flatness
from benchmarks.laboratory import FULL, QUICK, Laboratory, laboratory
from benchmarks.levels import levels
from benchmarks.listing import listing
from benchmarks.memory import memory
from benchmarks.planning import planning
from benchmarks.precision import precision
from benchmarks.pruning_event import pruning_event
from benchmarks.random_pruning import random_pruning
from benchmarks.reporting import reporting
from benchmarks.result import Result
from benchmarks.scaling import scaling
from benchmarks.scores import scores
from benchmarks.stack import stack
from benchmarks.startup import startup
from benchmarks.step import step
from benchmarks.storing import storing

QUESTIONS: Mapping[str, Callable[[Laboratory], list[Result]]] = MappingProxyType(
    {
        "Epochs": epochs,
        "A step": step,
        "Planning": planning,
        "Listing": listing,
        "Start": startup,
        "Levels": levels,
        "Evaluation": evaluation,
        "A convolutional step": convolution,
        "Digits": digits,
        "Two processes": scaling,
        "Tasks of Ray": cluster,
        "Storing": storing,
        "Stacks": stack,
        "Convolutional stacks": convolutional_stack,
        "Memory": memory,
        "Precision": precision,
        "Scores": scores,
        "Reporting": reporting,
        "Random pruning": random_pruning,
        "Flatness": flatness,
        "A pruning event": pruning_event,
        "An audit": auditing,
    }
)
REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Asks the questions; a quick or partial run is printed and, unless told so, not saved."""
    options = arguments()
    chosen = {title: QUESTIONS[title] for title in options.only or QUESTIONS}
    began = time.perf_counter()
    answers, sections = {}, {}
    with laboratory(QUICK if options.quick else FULL) as lab:
        head = report.heading()
        print(head, flush=True)
        for title, question in chosen.items():
            asked = environment(lab.images)
            answers[title] = question(lab)
            sections[title] = report.section(title, inspect.getdoc(question) or "", answers[title], asked)
            print(sections[title], flush=True)
    print(report.missed(answers))
    print(f"{time.perf_counter() - began:.0f} s in all")
    save = options.save or (None if options.quick or options.only else REPORT)
    if save:
        old = save.read_text() if options.only and save.exists() else head
        try:
            save.write_text(report.merged(old, head, sections, list(QUESTIONS)))
        except ValueError as problem:
            sys.exit(f"not saved: {problem}")
        print(f"saved as {save}")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny inputs: does everything run at all?")
    parser.add_argument("--only", nargs="+", choices=list(QUESTIONS), metavar="QUESTION", help="some questions")
    parser.add_argument(
        "--save",
        type=Path,
        help=f"where to save the report (default {REPORT}, if all of it is run); "
        "single questions take their places in it",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
