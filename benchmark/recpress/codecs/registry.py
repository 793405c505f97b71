"""Every kind of codec by the name that manifests give it, and how it is made of what is stored.

Modules of codecs register what they define, so that one which nests others restores them without importing them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from torch import Tensor

from recpress.codecs.base import Codec

KINDS: dict[str, type[Codec]] = {}
C = TypeVar("C", bound=Codec)


def register(codec: type[C]) -> type[C]:
    """Class decorator: make a codec known by its ``kind``.

    Raises
    ------
    ValueError
        When another class has that kind.
    """
    if KINDS.setdefault(codec.kind, codec) is not codec:
        raise ValueError(f"{codec.kind!r} is the kind of {KINDS[codec.kind].__name__} already")
    return codec


def restore(spec: dict[str, Any], tensors: dict[str, Tensor]) -> Codec:
    """Make a codec from its spec and stored tensors.

    Raises
    ------
    KeyError, ValueError
        When the kind is unknown, a tensor is missing, or shapes and types don't fit.
    """
    return KINDS[spec["kind"]].restore(spec, tensors)
