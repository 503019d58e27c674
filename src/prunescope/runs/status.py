"""The former path of `prunescope.runs.execution.status`, for scripts that name it."""

from prunescope.runs.execution.status import Display as Display
from prunescope.runs.execution.status import WorkStatus as WorkStatus
