"""``python -m recpress.schema``: write the JSON schema of the record beside this file, from the model."""

from __future__ import annotations

from recpress.atomic import write_atomic
from recpress.record import SCHEMA_FILE, schema_text

write_atomic(SCHEMA_FILE, schema_text())
