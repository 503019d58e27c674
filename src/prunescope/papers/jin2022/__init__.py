"""Jin, Carbin, Roy, Frankle and Dziugaite, NeurIPS 2022: pruning's effect on generalization."""

PAPERS = {
    "jin2022": "Jin, Carbin, Roy, Frankle, Dziugaite: Pruning's Effect on Generalization Through the Lens of Training "
    "and Regularization, NeurIPS 2022"
}
