"""The former path of `prunescope.papers.bartoldson.yours`, for studies of one's own that name it."""

from prunescope.papers.bartoldson.yours import Settings as Settings
from prunescope.papers.bartoldson.yours import flatness as flatness
from prunescope.papers.bartoldson.yours import follow as follow
