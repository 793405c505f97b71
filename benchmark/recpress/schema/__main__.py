"""``python -m recpress.schema``: write the JSON schemas of the records beside this file, from the models."""

from __future__ import annotations

from recpress import record, timing
from recpress.atomic import write_atomic

for module in (record, timing):
    write_atomic(module.SCHEMA_FILE, module.schema_text())
