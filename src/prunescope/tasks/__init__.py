"""Networks as pure functions, data and losses. This package knows nothing of training or of sparsity."""
