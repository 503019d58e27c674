"""`python -m prunescope` and the command `prunescope`: imports as little as it can before it can be stopped."""

import signal
import sys


def main() -> None:
    """The command line; SIGTERM and SIGHUP stop it as Ctrl-C does, also while it is still importing."""
    try:
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, signal.default_int_handler)
        from prunescope.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        print("prunescope: stopped; everything reached is stored, the same command goes on from there", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
