"""All raw files of a data set, brought to one folder."""

from __future__ import annotations

from pathlib import Path

from recpress.data import sources
from recpress.data.card import Role, dataset_card
from recpress.data.sources import Obtained


def fetch_dataset(name: str, to: Path | None = None) -> list[Obtained]:
    """Fetch one file of each role of a data set, optional ones too where they have an address.

    Parameters
    ----------
    name : str
    to : Path, optional
        Folder that gets ``<dataset>/<file>``; default the cache.

    Raises
    ------
    UserError
        When a file can't be had.
    """
    card = dataset_card(name)
    folder = to / name if to else sources.cache_folder(name)
    roles: dict[Role, None] = dict.fromkeys(file.role for file in card.files if file.sources)
    return [sources.fetch(name, card, role, folder) for role in roles]
