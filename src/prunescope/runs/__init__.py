"""From a recipe to a stored result, in five rooms, each of which imports those below it only.

execution/  makes results: `ensure`, the queue of work, the workbench, worker processes
machine/    this machine: devices, memory, engines, loaded tasks, prices, pack sizes
given/      states that came from elsewhere: modules, state dicts, files
store/      what is stored and what is missing: files, leases, plans, the listing, provenance
graph/      what is to be computed: recipes, readings, traces, combinations, choices

No GPU has ever run this package; what is written for one is listed in docs/architecture.md.
"""
