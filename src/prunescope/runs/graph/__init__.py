"""What is to be computed: recipes, families of them, and the nodes that are made from them.

Belongs here: values with ids, and what follows from them alone. Does not belong here: a file, a device, a price.
"""

from prunescope.moved import names_of

__getattr__ = names_of("prunescope.runs.graph.nodes")
