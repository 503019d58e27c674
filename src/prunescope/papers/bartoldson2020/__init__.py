"""The former path of `prunescope.papers.bartoldson`, for studies of one's own that name it."""
