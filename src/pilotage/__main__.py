"""`python -m pilotage`: the same as the `pilotage` command."""

from __future__ import annotations

import sys

from pilotage.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
