"""How the loss bends around a state: what the measures of flatness share.

Belongs here: the loss as a function of the kept weights, products with its Hessian, eigenpairs, traces, norms of
gradients of single examples. Does not belong here: the measures themselves (one file each, a floor up in
`measures/`), gradients that training needs (`training/derivatives.py`).
"""
