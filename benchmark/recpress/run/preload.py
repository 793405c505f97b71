"""What the fork server imports before the first stage is asked for; it is imported nowhere else."""

from recpress.run import sandbox, worker  # noqa: F401  # the worker for its effect: stages find it loaded

# Orphans of a stage that crashed come to the server, where they are found and ended.
sandbox.adopt_orphans()
