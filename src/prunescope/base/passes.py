"""A look at every operation of a pass."""

from torch.utils._python_dispatch import TorchDispatchMode


class Watched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, every operation of torch goes through its `__torch_dispatch__`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler at the first call, for seconds
