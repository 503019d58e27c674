"""How fast prunescope is: one file a question, each a function from the laboratory to rows of a table.

Belongs here: measurements of speed and size, as ratios inside one run. Does not belong here: anything that a test
could decide, results of studies.
"""
