"""Yang, Liang, Guo, Wu and Wang, arXiv 2301.00335: how random pruning at initialization affects generalization."""

PAPERS = {
    "yang2023": "Yang, Liang, Guo, Wu, Wang: Theoretical Characterization of How Neural Network Pruning Affects its "
    "Generalization, arXiv 2301.00335"
}
