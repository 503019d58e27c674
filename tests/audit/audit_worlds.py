"""Made-up networks that differ by seed only: what a null, a planted harm and planted labels are made from."""

from dataclasses import replace

import numpy as np

from prunescope.audit.claims import Claims
from prunescope.audit.tables import Findings
from prunescope.measures.answers import Answers
from prunescope.studies.contrast import Evidence
from prunescope.studies.groups import Column
from prunescope.studies.judging import judge_all

CLASSES = 10


def world(seed, networks, *, examples=2000, together=0.15, noise=0.25, shift=0.0):
    """Log probabilities [networks, N, C] and labels: margins of their own, moved a little by every seed.

    together: how far a seed moves all examples of a class. noise: one example. shift: of the last network, all.
    """
    rng = np.random.default_rng(seed)
    label = rng.permutation(examples) % CLASSES
    ease = rng.normal(2.5, 1.3, examples)
    rival = (label + rng.integers(1, CLASSES, examples)) % CLASSES
    margins = ease + rng.normal(0, together, (networks, CLASSES))[:, label] + rng.normal(0, noise, (networks, examples))
    margins[-1] -= shift
    scores = np.zeros((networks, examples, CLASSES))
    every = np.arange(examples)
    scores[:, every, label] = 2.0 + margins
    scores[:, every, rival] = 2.0
    log_p = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    order = np.argsort(ease)  # neighbours are examples about as easy, those of the other half only
    half, place = every % 2, np.argsort(order)
    beside = np.stack([order[np.clip(place + step, 0, examples - 1)] for step in (-7, -5, -3, -1, 1, 3, 5, 7)], axis=1)
    beside = np.where(half[beside] != half[:, None], beside, (every[:, None] + 1) % examples)
    return log_p.astype(np.float32), label, beside


def evidence(log_p, label, *, neighbours=None, **groups):
    """The last network is the pruned one, the first the dense one, the others twins."""
    names = ["dense", *(f"twin-{k}" for k in range(1, len(log_p) - 1)), "pruned"]
    made = [Answers(part, label, name) for name, part in zip(names, log_p, strict=True)]
    return Evidence(
        dense=made[0],
        pruned=(replace(made[-1], sparsity=0.9),),
        twins=tuple(made[1:-1]),
        index=np.arange(len(label)),
        classes=tuple(map(str, range(log_p.shape[2]))),
        groups={name: Column(tuple(map(str, range(codes.max() + 1))), codes) for name, codes in groups.items()},
        neighbours=np.zeros((len(label), 1), int) if neighbours is None else neighbours,
    )


def said(found, gate=None):
    """What is said of every claim of an audit, by its name."""
    findings = found if isinstance(found, Findings) else Findings(found)
    claims = Claims(lambda results: findings, (), groups=bool(findings.evidence.groups), gate=gate or {})
    verdicts = judge_all(claims.of_all([one.name for one in findings.evidence.pruned]), {})
    return {verdict.claim.name: verdict.said for verdict in verdicts}


def harm(found):
    """The claims that pruning, and not another seed, did harm, which are said to be shown."""
    return [name for name, text in said(found).items() if name.startswith("beyond-seeds") and text == "shown"]
