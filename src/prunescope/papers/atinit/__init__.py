"""Pruning at initialization, all methods on one task: after Frankle et al. 2021, Evci et al. 2020 and others."""

PAPERS = {"atinit": ""}
