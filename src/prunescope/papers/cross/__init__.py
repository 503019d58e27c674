"""Questions that no single paper asks, on the runs of their studies: one file a question."""

PAPERS = {"cross": ""}
"""None: what one paper measures is held against what another one claims."""
