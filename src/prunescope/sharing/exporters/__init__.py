"""One file a format. Each has a function `write(network, path)`, which returns what the written file computes.

Its name is that of the file, with a dot for "_"; its packages are imported inside the function.
"""
