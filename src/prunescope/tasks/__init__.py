"""What is learned: networks as pure functions, data, losses. Knows nothing of training or of sparsity."""
