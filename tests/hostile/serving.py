"""What stages of these tests do; they import it from here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from recpress.codecs.artefact import Artefact
from recpress.data.interactions import UserItems
from recpress.serve.recommender import Recommender


def serve(corpus: Path, users: int, items: int, report: Any) -> list[str]:
    """Serve every artefact of a folder, to all users and to one; return the kernels that had to be compiled."""
    seen = UserItems.from_pairs(np.arange(users), np.zeros(users, np.int64), users, items)
    for folder in sorted(corpus.iterdir()):
        recommender = Recommender(Artefact.load(folder), seen)
        recommender.recommend_all(100)
        recommender.recommend(np.zeros(1, np.int64), 20)
    modules = [module for name, module in sys.modules.items() if name.startswith("recpress.")]
    kernels = {value for module in modules for value in vars(module).values() if hasattr(value, "py_func")}
    return sorted(
        f"{kernel.py_func.__module__}.{kernel.py_func.__name__}: {signature}"
        for kernel in kernels
        for signature in kernel.stats.cache_misses
    )
