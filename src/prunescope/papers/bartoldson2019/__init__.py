"""Bartoldson et al. 2019: The Generalization-Stability Tradeoff in Neural Network Pruning, first version."""
