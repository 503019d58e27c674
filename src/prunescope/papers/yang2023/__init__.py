"""Yang, Liang, Guo, Wu and Wang, arXiv 2301.00335: how random pruning at initialization affects generalization."""
