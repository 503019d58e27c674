"""What has been computed and what is missing: files, leases, the listing, plans, where a number comes from.

Belongs here: everything that reads or writes the folder of a store, or compares it with a graph. Does not belong here:
how a result is made.
"""

from prunescope.moved import names_of

__getattr__ = names_of("prunescope.runs.store.store")
