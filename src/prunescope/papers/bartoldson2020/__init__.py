"""Bartoldson et al. 2020: The Generalization-Stability Tradeoff in Neural Network Pruning."""
