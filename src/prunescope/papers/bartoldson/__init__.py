"""The two papers of Bartoldson et al. on pruning and stability, of 2019 and of 2020, which share most of their parts.

Belongs here: `v2019_*` and `v2020_*`, a file for each figure; `scales.py`, what is trained and how it is pruned, as
tables; `arms.py`, runs made of them; `quantities.py`, what is measured in runs; `comparison.py`, arms compared by that;
`claims.py` and `figures.py`, how claims and figures are made; `yours.py`, the same for a network of your own.
"""

PAPERS = {
    "bartoldson2019": "Bartoldson, Morcos, Barbu, Erlebacher: The Generalization-Stability Tradeoff in Neural Network "
    "Pruning, arXiv 1906.03728v1, 2019",
    "bartoldson2020": "Bartoldson, Morcos, Barbu, Erlebacher: The Generalization-Stability Tradeoff in Neural Network "
    "Pruning, NeurIPS 2020",
}
