"""Checks of a method's files, which neither import nor run them."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import ValidationError

from recpress.checks.summary import CheckResult, check_result
from recpress.core.cards import Card, MethodCard
from recpress.core.lines import line_of
from recpress.registry import MethodEntry

PUBLIC = ("recpress.api", "recpress.codecs", "recpress.backbones", "recpress.compression")
CODE = (".py", ".toml", ".md")
# Larger than any method of ours by five times: more than this is a table.
LARGEST_CODE = 100_000
TEXTS = ("title", "summary", "formula")


def check_files(entry: MethodEntry) -> list[CheckResult]:
    """Run every check of a method's files; all that is wrong is told at once."""
    folder = entry.folder
    found = list(card_results(folder, MethodCard, "card-complete"))
    card = _card(folder)
    if card is not None:
        blank = [name for name in TEXTS if not str(card.get(name, "x")).strip()]
        if blank:
            found.append(check_result("card-complete", folder, f"{', '.join(blank)} must not be empty"))
        found.append(check_result("licence-named", folder, _licence(card), line=line_of(_text(folder), ["license"])))
    tree, problem = _parsed(entry.code)
    found.append(check_result("code-there", folder, problem))
    found += _only_code(folder)
    found += _imports(entry, tree)
    return found


def card_results(folder: Path, model: type[Card], complete: str) -> Iterator[CheckResult]:
    """Check a card: one result for each field that is wrong, with its line.

    Parameters
    ----------
    folder : Path
        That of the method or data set.
    model : type
        What the card is.
    complete : str
        The name of the check of its fields.
    """
    text = _text(folder)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        yield check_result("card-is-toml", folder, str(error))
        return
    yield check_result("card-is-toml", folder, None)
    try:
        model.model_validate(raw)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            where = ".".join(map(str, item["loc"])) or "the card"
            if where == "license" and complete == "card-complete":
                continue  # It has a check of its own.
            said = f"{where}: {item['msg'][:1].lower()}{item['msg'][1:]}"
            yield check_result(complete, folder, said, line=line_of(text, item["loc"]))
        return
    yield check_result(complete, folder, None)


def _text(folder: Path) -> str:
    return (folder / "card.toml").read_text(encoding="utf-8", errors="replace")


def _card(folder: Path) -> dict[str, object] | None:
    try:
        return tomllib.loads(_text(folder))
    except tomllib.TOMLDecodeError:
        return None


def _licence(card: dict[str, object]) -> str | None:
    named = card.get("license")
    if named is None:
        return "there is no license"
    try:
        canonicalize_license_expression(str(named))
    except InvalidLicenseExpression:
        return f"{named!r} is none"
    return None


def _parsed(code: Path) -> tuple[ast.Module | None, str | None]:
    try:
        return ast.parse(code.read_text(encoding="utf-8")), None
    except FileNotFoundError:
        return None, "there is no method.py"
    except (SyntaxError, ValueError) as error:  # A ValueError is what isn't text.
        return None, f"{error}"


def _only_code(folder: Path) -> Iterator[CheckResult]:
    files = [each for each in sorted(folder.rglob("*")) if each.is_file() and "__pycache__" not in each.parts]
    wrong = False
    for file in files:
        name, size = file.relative_to(folder).as_posix(), file.stat().st_size
        if file.suffix not in CODE or size > LARGEST_CODE:
            wrong = True
            yield check_result("only-code", folder, f"{name} is there, with {size:,} bytes", file=name)
    if not wrong:
        yield check_result("only-code", folder, None)


def _imports(entry: MethodEntry, tree: ast.Module | None) -> Iterator[CheckResult]:
    """Check the imports of every file of the method."""
    wrong = False
    for file in sorted(entry.folder.rglob("*.py")):
        parsed = tree if file == entry.code else _parsed(file)[0]
        for node in ast.walk(parsed) if parsed else ():
            for module in _imported(node):
                if module.partition(".")[0] == "recpress" and not module.startswith(PUBLIC):
                    wrong = True
                    name = file.relative_to(entry.folder).as_posix()
                    line = getattr(node, "lineno", None)
                    yield check_result("public-imports", entry.folder, f"it imports {module}", file=name, line=line)
    if not wrong:
        yield check_result("public-imports", entry.folder, None)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [
            f"{node.module}.{alias.name}" if node.module == "recpress" else str(node.module) for alias in node.names
        ]
    return []
