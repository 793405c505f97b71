"""Amazon reviews as gzipped JSON lines (2014 and 2018), read in blocks: only four fields of a review are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recpress.data.formats.delimited import table
from recpress.data.formats.raw import Fault, RawTable, refuse

FIELDS = {"user": "reviewerID", "item": "asin", "rating": "overall", "time": "unixReviewTime"}
BLOCK = 100_000


def read(path: Path) -> RawTable:
    """Parse a file of reviews, one JSON object a line.

    Raises
    ------
    UserError
        Empty file, a line that isn't JSON, or one that lacks a field or has an id that is empty or broken over lines;
        with the row.
    """
    blocks, start = [], 0
    try:
        with pd.read_json(path, lines=True, chunksize=BLOCK, dtype=False, convert_dates=False) as reader:
            for block in reader:
                missing = [name for name in FIELDS.values() if name not in block.columns]
                if missing:
                    raise refuse(path, start + 1, f"the field {missing[0]!r} is missing")
                kept = block[list(FIELDS.values())]
                bad = kept.isna().any(axis=1) | (kept["reviewerID"] == "") | (kept["asin"] == "")
                if bad.any():
                    raise refuse(path, start + int(np.argmax(bad.to_numpy())) + 1, "a field is missing or empty")
                blocks.append(kept)
                start += len(block)
    except (ValueError, OSError, EOFError) as error:
        raise refuse(path, None, f"not gzipped JSON lines, after row {start} ({error})") from error
    if not blocks:
        raise refuse(path, None, "the file is empty")
    frame = pd.concat(blocks, ignore_index=True)
    columns = {column: frame[name].to_numpy() for column, name in FIELDS.items()}
    columns["rating"] = columns["rating"].astype(np.float64)
    columns["user"], columns["item"] = columns["user"].astype(str), columns["item"].astype(str)
    try:
        return table(columns)  # type: ignore[arg-type]  # the keys are Columns
    except Fault as fault:
        raise refuse(path, fault.row + 1, fault.reason) from fault
