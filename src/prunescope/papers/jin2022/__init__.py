"""Jin, Carbin, Roy, Frankle and Dziugaite, NeurIPS 2022: pruning's effect on generalization."""
