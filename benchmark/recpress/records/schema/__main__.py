"""``python -m recpress.records.schema``: write the JSON schemas of the records beside this file, from the models."""

from __future__ import annotations

from recpress.core.io import write_atomic
from recpress.records import record, timing

for module in (record, timing):
    write_atomic(module.SCHEMA_FILE, module.schema_text())
