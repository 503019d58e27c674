"""Optimizers around other optimizers, and those of torch.

Belongs here: what people do to gradients and weights beside the rule itself. Does not belong here: the
interface and the rules that engines know well (`training/optim.py`).
"""
