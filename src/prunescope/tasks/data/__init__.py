"""Sources of examples, and the changes of examples before training.

Belongs here: sources (one file each), normalization, label noise, augmentation; the only code that reads data
files. Does not belong here: how a network learns from them.
"""
