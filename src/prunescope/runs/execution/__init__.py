"""Making results: `ensure`, the queue of work, the workbench that does it, and the processes that carry it.

Belongs here: from a plan to stored results. Does not belong here: what a recipe means, where files
lie, what work costs.
"""
