"""One file a board. Each has a function `write(records, place)`, which may get its records one by one as runs end.

Its name is that of the file; its package is imported inside the function. Written again, a run takes its own place.
"""
