"""What the architecture tests read: modules, their text, their trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules(*packages: str) -> list[Path]:
    """Every Python file of the packages."""
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def texts(node: ast.AST) -> Iterator[str]:
    """Every string constant in it, pieces of f-strings too."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))
