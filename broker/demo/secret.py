"""A random pass-phrase file for synthetic use."""

from __future__ import annotations

import os
from pathlib import Path


def make_passphrase(path: Path) -> None:
    """Write 192 random bits in hex, mode 0600; keeps an existing file."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(os.urandom(24).hex())
