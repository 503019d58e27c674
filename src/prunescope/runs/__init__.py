"""From a recipe to a stored result, in five rooms, each of which imports those below it only.

execution/  makes results: `ensure`, the queue of work, the workbench, worker processes
machine/    this machine: devices, memory, engines, loaded tasks, prices, pack sizes
given/      states that came from elsewhere: modules, state dicts, files
store/      what is stored and what is missing: files, leases, plans, the listing, provenance
graph/      what is to be computed: recipes, readings, traces, combinations, choices

No GPU has ever run this package. These parts are written for one and were only tried on a device that is pretended:

- `machine.devices`: deterministic cuDNN, no TF32
- `machine.memory`: free memory and peak of a GPU
- `machine.engines`: "recorded"; `machine.pack_sizes`: "streams"
- `execution.preparation`: the choice among engines
- `execution.workbench`: the thread beside training, on a stream
"""
