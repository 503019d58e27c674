"""`python -m prunescope` is the command `prunescope`."""

from prunescope.cli import main

if __name__ == "__main__":
    main()
