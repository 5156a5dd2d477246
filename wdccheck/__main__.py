"""``python -m wdccheck`` and the command ``wdccheck``: signals are heard from here to the end."""

from __future__ import annotations

import atexit
import os
import sys

from wdccheck.running.signals import Interruptions


def main() -> None:
    """Run the command line, and end with its exit status."""
    status: list[int] = []
    # Registered first, it runs last: Python ends itself by SIGINT where Ctrl-C once met an `exec`
    atexit.register(lambda: status and os._exit(status[0]))
    with Interruptions() as heard:
        try:
            from wdccheck.cli.main import main as run

            status.append(run())
        except KeyboardInterrupt:
            status.append(heard.status)
        finally:
            heard.over()
    sys.exit(status[0])


if __name__ == "__main__":
    main()
