"""The machine: devices, memory, engines, what work costs here, and how many runs are worth training together.

Belongs here: measuring, loading tasks onto a device, what follows from the measurements. Does not belong here: making
and storing results.

No GPU has ever run this package. These parts are written for one and never ran: `devices.one_thread` (cuDNN),
`memory` (budget and peak of a GPU), `engines` ("recorded"), `pack_sizes` (streams), `execution.preparation` (comparing
engines on a GPU), and all of `execution` on a device other than "cpu".
"""
