"""Content hashes: of files, of JSON values, of code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_folder(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files in a folder as hex."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return sha256_json([[path.relative_to(folder).as_posix(), sha256_file(path)] for path in files])


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form (sorted keys, no spaces, no NaN)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def strip_docstrings(tree: ast.Module) -> ast.Module:
    """Take every docstring out of a parsed module, in place, and return it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def sha256_code(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of what Python files do: comments, layout and docstrings don't count.

    Parameters
    ----------
    paths : iterable of Path
        Files, or folders that are searched for ``*.py``. The order given doesn't matter.
    """
    files: set[Path] = set()
    for path in paths:
        files.update(path.rglob("*.py") if path.is_dir() else [path])
    digests = []
    for file in files:
        tree = strip_docstrings(ast.parse(file.read_text(encoding="utf-8")))
        code = hashlib.sha256(ast.dump(tree, annotate_fields=False).encode()).hexdigest()
        digests.append([file.name, code])
    return sha256_json(sorted(digests))
