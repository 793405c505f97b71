"""The source of a method: its module, and what that imports of its own package. Nothing is imported.

For whoever asks what a record was made with, and in the place of a version where a method from elsewhere declares none.
Comments, layout and docstrings don't count, nor does where files lie.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from recpress import registry
from recpress.core.hashing import sha256_json, strip_docstrings
from recpress.registry import NAMESPACE, OWN, MethodEntry


def sha256_of(entry: MethodEntry) -> str:
    """Return the hash of a method's own source."""
    root = _own(entry)
    seen: dict[str, str] = {}
    todo = [f"{entry.source.package}.{entry.family}.{entry.name}.method"]
    while todo:
        module = todo.pop()
        path = _find(entry, module)
        if module.removeprefix(root) in seen or path is None:
            continue
        tree = strip_docstrings(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        # By its place in what is the method's own, which may lie anywhere.
        seen[module.removeprefix(root)] = hashlib.sha256(ast.dump(tree, annotate_fields=False).encode()).hexdigest()
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        todo += [name for name in _imported(tree, package) if f"{name}.".startswith(f"{root}.")]
    return sha256_json(sorted(seen.items()))


def _own(entry: MethodEntry) -> str:
    """Return the package that is a method's own: its folder, all of a user's folder, or the installed package."""
    if entry.source.label == OWN:
        return f"{NAMESPACE}.{entry.family}.{entry.name}"
    # Of the namespace, what lies in the user's folder: nothing else is found.
    return NAMESPACE if entry.source.package == NAMESPACE else entry.source.package.partition(".")[0]


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield what a module may import, by absolute name: modules, and names in them that may be modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _find(entry: MethodEntry, module: str) -> Path | None:
    """Return the file of a module of a method's own package; None where there is none."""
    if f"{module}.".startswith(f"{entry.source.package}."):
        stems = [entry.source.folder.joinpath(*module.removeprefix(entry.source.package).split(".")[1:])]
    else:
        top, *below = module.split(".")
        stems = [folder.joinpath(*below) for folder in registry.package_folders(top)]
    for stem in stems:
        for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if path.is_file():
                return path
    return None
