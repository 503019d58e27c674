"""What the two papers of Bartoldson et al. on pruning and stability share: settings, arms, views, statements."""
