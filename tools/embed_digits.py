"""Write the handwritten digits that ship with the package: src/prunescope/tasks/data/embedded/digits.npz.

Run once, by hand, with scikit-learn installed: python tools/embed_digits.py. It documents where the bytes
came from.

The examples are stored in an order in which *every* prefix holds each class in proportion, to within one
example. Inside a class the order is that of the BLAKE2b hash of the original position, so no random
generator's version can change it. A split is then a cut.
"""

import hashlib
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

DESTINATION = Path(__file__).parent.parent / "src/prunescope/tasks/data/embedded/digits.npz"


def stratified_order(labels: np.ndarray) -> np.ndarray:
    """A permutation of the positions [N] whose every prefix holds each class in proportion."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=scrambled)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((labels, place))


def scrambled(position: int) -> bytes:
    """A sort key unrelated to the position."""
    return hashlib.blake2b(str(int(position)).encode(), digest_size=8).digest()


def main() -> None:
    """Extract, order, write."""
    digits = load_digits()
    order = stratified_order(digits.target)
    np.savez_compressed(
        DESTINATION,
        images=digits.images[order].astype(np.uint8),
        labels=digits.target[order].astype(np.uint8),
    )


if __name__ == "__main__":
    main()
