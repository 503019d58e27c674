"""Claims about numbers that are at hand, for tests of regions and of verdicts."""

from prunescope.studies import Claim, Quantity
from prunescope.studies import judge as judge_by
from prunescope.studies.rule import OneStandardDeviation

NOTHING: dict = {}


def judge(claim, results):
    return judge_by(claim, results, OneStandardDeviation())


def claim_of(region, values, **changes):
    return Claim("name", "says", numbers(values), region, **changes)


def numbers(values, unit=""):
    return Quantity("", unit, (), lambda results: values)
