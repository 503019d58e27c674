"""How the products of a network are computed on this machine: dense, or over the weights that are kept only."""
