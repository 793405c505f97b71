"""What pyproject.toml says of the project, as it was installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata


def repository() -> str | None:
    """Return the address of the repository (``[project.urls]``); None where none is named."""
    try:
        urls = metadata("recpress").get_all("Project-URL") or []
    except PackageNotFoundError:  # Run from a copy of the sources.
        return None
    found = dict(text.split(", ", 1) for text in urls).get("Repository")
    return found if found and found.startswith("https://") else None
