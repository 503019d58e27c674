"""`python -m prunescope`."""

from prunescope.cli import main

if __name__ == "__main__":
    main()
