"""What has been computed and what is missing: files, leases, the listing, plans, where a number comes from.

Belongs here: everything that reads or writes the folder of a store, or compares it with a graph. Does not belong here:
how a result is made.
"""
