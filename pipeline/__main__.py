"""The ``pipeline`` command: the only place that ends the process."""

from __future__ import annotations

import sys

from pipeline.cli import run_command
from pipeline.interrupts import over


def main() -> None:
    """Run the command line and exit with its code."""
    code = run_command(sys.argv[1:])
    over()
    sys.exit(code)


if __name__ == "__main__":
    main()
