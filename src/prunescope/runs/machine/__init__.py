"""The machine: devices, memory, engines, what work costs, and how many runs are worth training together.

Belongs here: measuring, loading tasks onto a device, what follows from the measurements. Does not belong here: making
and storing results.
"""
