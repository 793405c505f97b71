"""Which code a result rests on: a static walk over imports, by name, that imports nothing.

From a module the walk goes to whatever of this project, or of a package of methods, its code *uses*. A name that a
module only hands on (a package's ``__init__``, the re-exports of `recpress.api`) leads to where it is defined and
nowhere else, so that two methods that import different codecs from the same place share no more code than they use.
Comments, layout, docstrings and annotations under ``TYPE_CHECKING`` don't count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recpress import registry
from recpress.hashing import sha256_json, strip_docstrings
from recpress.paths import PACKAGE, resources

ROOT = "recpress"
# What finds, checks, stores and times things decides no figure of quality. That a data set is what it was is the split
# hash's job, and the module of a cell's backbone is named by the cell and not found through the catalogue.
INERT = {
    f"{ROOT}.{name}"
    for name in (
        "atomic", "backbones.catalogue", "cards", "data.dataset", "errors", "hashing", "measure", "paths", "record",
        "registry",
    )
}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where an imported name comes from: a module, and the name in it (None: the module itself)."""

    module: str
    name: str | None


@dataclass(frozen=True)
class Source:
    """One parsed module.

    Attributes
    ----------
    statements : tuple
        Its top-level statements without imports of this project, docstrings and ``__all__``.
    imported : dict of str to Origin
        Names that it binds by importing from this project, wherever in the file.
    package : bool
        Whether it is the ``__init__`` of a package.
    """

    statements: tuple[ast.stmt, ...]
    imported: dict[str, Origin]
    package: bool

    def defining(self, name: str) -> list[ast.stmt]:
        """Return the top-level statements that bind a name."""
        return [each for each in self.statements if name in _bound(each)]


def sha256_of(roots: Iterable[str | Path]) -> str:
    """Return the hash of the code that some modules rest on.

    Parameters
    ----------
    roots : iterable of str or Path
        Modules of this project by dotted name, or Python files.
    """
    seen: dict[str, str] = {}
    todo = [Origin(str(root), None) for root in roots]
    visited: set[Origin] = set()
    while todo:
        origin = todo.pop()
        if origin in visited or _inert(origin.module):
            continue
        visited.add(origin)
        source = _source(origin.module)
        if source.package and origin.name is not None:
            statements = source.defining(origin.name)
            if origin.name in source.imported:
                todo.append(source.imported[origin.name])
            # What a package's own function dispatches to is not followed: its callers name the parts they use.
            used: dict[str, Origin] = {}
        else:
            statements = list(source.statements)
            names = _names(source.statements)
            used = {name: source.imported[name] for name in source.imported if name in names}
            if origin.name is not None and origin.name in source.imported:
                todo.append(source.imported[origin.name])
        todo += used.values()
        key = origin.module if origin.name is None or not source.package else f"{origin.module}:{origin.name}"
        links = sorted([name, found.module, found.name or ""] for name, found in used.items())
        seen[_portable(key)] = sha256_json([[_digest(each) for each in statements], links])
    return sha256_json(sorted(seen.items()))


def _inert(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in INERT)


def _portable(key: str) -> str:
    """Name a file by its own name: where it lies doesn't matter."""
    return Path(key).name if key.endswith(".py") else key


@cache
def _source(module: str) -> Source:
    path = _path(module)
    tree = strip_docstrings(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    package = path.name == "__init__.py"
    imported: dict[str, Origin] = {}
    for node in _runtime(tree):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, package)
            if _ours(base):
                for alias in node.names:
                    submodule = f"{base}.{alias.name}"
                    origin = Origin(submodule, None) if _find(submodule) else Origin(base, alias.name)
                    imported[alias.asname or alias.name] = origin
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _ours(alias.name):
                    imported[alias.asname or alias.name.partition(".")[0]] = Origin(alias.name, None)
    kept = tuple(
        each for each in tree.body if not _is_import_of_ours(each, module, package) and "__all__" not in _bound(each)
    )
    return Source(kept, imported, package)


def _runtime(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, without what only type checkers execute."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _runtime(node)


@cache
def _names(statements: tuple[ast.stmt, ...]) -> frozenset[str]:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name))


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _is_import_of_ours(statement: ast.stmt, module: str, package: bool) -> bool:
    return isinstance(statement, ast.ImportFrom) and _ours(_absolute(statement, module, package))


@cache
def _digest(statement: ast.stmt) -> str:
    return hashlib.sha256(ast.dump(statement, annotate_fields=False).encode()).hexdigest()


def _absolute(node: ast.ImportFrom, module: str, package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = _dotted(module).split(".")
    parts = parts[: len(parts) - node.level + (1 if package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _dotted(module: str) -> str:
    """Return the dotted name of a method's file, so that its relative imports resolve."""
    if not module.endswith(".py"):
        return module
    path = Path(module)
    for package, folder in _elsewhere():
        if path.is_relative_to(folder):
            return ".".join([package, *path.relative_to(folder).with_suffix("").parts])
    return module


def _elsewhere() -> Iterator[tuple[str, Path]]:
    """Yield packages whose code lies outside this one, with their folders: all methods, and data sets in a checkout."""
    for source in registry.method_sources():
        yield source.package, source.folder
    yield f"{ROOT}.datasets", resources("datasets")


def _ours(module: str) -> bool:
    """Return whether a module belongs to this project, or to a package of methods and is written in Python."""
    top = module.partition(".")[0]
    if top == ROOT:
        return True
    known = {source.package.partition(".")[0] for source in registry.method_sources()}
    return top in known and _find(module) is not None


def _path(module: str) -> Path:
    path = Path(module) if module.endswith(".py") else _find(module)
    if path is None:
        raise ModuleNotFoundError(f"no file of the module {module}", name=module)
    return path


@cache
def _find(module: str) -> Path | None:
    top, *parts = module.split(".")
    roots = [(folder, parts) for folder in ([PACKAGE] if top == ROOT else registry.package_folders(top))]
    for package, folder in _elsewhere():
        if module.startswith(f"{package}."):
            roots.append((folder, module.removeprefix(f"{package}.").split(".")))
    for folder, below in roots:
        stem = folder.joinpath(*below)
        for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if path.is_file():
                return path
    return None
