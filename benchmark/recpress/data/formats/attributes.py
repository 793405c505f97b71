"""Attributes of users and items (MovieLens genres and occupations) as edges from an id to a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import unknown
from recpress.data.formats.raw import refuse

# The order of the flags in u.item, from the README of MovieLens 100K.
GENRES_100K = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]


@dataclass(frozen=True)
class Attributes:
    """Edges from entities to labels.

    Attributes
    ----------
    ids : int64 array of shape (n,)
        Ids of the file.
    labels : str array of shape (n,)
    relation, label_type : str
        As in "item has_genre genre".
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.str_]
    relation: str
    label_type: str


def _genre_flags(fields: list[str]) -> Iterator[str]:
    return (genre for genre, flag in zip(GENRES_100K, fields[5:], strict=True) if flag == "1")


def _genre_list(fields: list[str]) -> Iterator[str]:
    return iter(fields[-1].split("|"))


def _column(index: int) -> Callable[[list[str]], Iterator[str]]:
    return lambda fields: iter([fields[index]])


@dataclass(frozen=True)
class _Format:
    separator: str
    labels: Callable[[list[str]], Iterator[str]]
    relation: str
    label_type: str


FORMATS = {
    "movielens-100k-items": _Format("|", _genre_flags, "has_genre", "genre"),
    "movielens-100k-users": _Format("|", _column(3), "has_occupation", "occupation"),
    "movielens-1m-items": _Format("::", _genre_list, "has_genre", "genre"),
    "movielens-1m-users": _Format("::", _column(3), "has_occupation", "occupation"),
}


def read(path: Path, format_name: str) -> Attributes:
    """Parse a file of attributes (Latin-1, as MovieLens up to 1M is).

    Raises
    ------
    UserError
        Unknown format, or a line that isn't of the format; with the row.
    """
    if format_name not in FORMATS:
        raise unknown("attribute format", format_name, FORMATS)
    form = FORMATS[format_name]
    ids, labels = [], []
    for row, line in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
        fields = line.split(form.separator)
        try:
            found = list(form.labels(fields))
            ids += [int(fields[0])] * len(found)
        except (ValueError, IndexError) as error:
            raise refuse(path, row, f"not a line of {format_name} ({error})") from error
        labels += found
    return Attributes(np.array(ids, np.int64), np.array(labels, np.str_), form.relation, form.label_type)
