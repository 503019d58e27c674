"""States that nobody trained here: from modules, state dicts, files and runs to nodes.

tensors     state dicts made plain, and what every origin gives
modules, files, open_lth, stored    other origins, each a function from what was given to plain tensors
networks    which network a state is of
states      all of it together

Belongs here: undoing what a file or a library does to the names and values of tensors. Does not belong here: putting
them into a network (`tasks/fitting.py`), the node that they become (`graph/given.py`).
"""
