"""``python -m wdccheck`` equals ``wdccheck``."""

from __future__ import annotations

import sys

from wdccheck.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
