"""Many replicas in one program: networks whose tensors have a leading axis of replicas.

No GPU has run the code that only a GPU uses: recordings (`recorded.py`), streams (`side_by_side.py`, and that of
`training/background.py`), pinned memory, and `benchmarks/gpu.py`. Tests run it on a device that is pretended.
"""
