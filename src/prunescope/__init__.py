"""prunescope: what pruning does to a network's generalization, and why."""

__version__ = "0.1.0"
