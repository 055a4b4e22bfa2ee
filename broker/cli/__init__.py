"""The command line `broker`: every verb of the three users, with `--json` for scripts.

Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong usage.
"""

from broker.cli.main import app, main

__all__ = ["app", "main"]
