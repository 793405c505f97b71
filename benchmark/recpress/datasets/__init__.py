"""Data set cards and loaders. In a checkout they live in the top-level folder ``datasets/``."""

from recpress.core.paths import checkout_root

if (root := checkout_root()) is not None:
    __path__.append(str(root / "datasets"))
