"""What the fork server does before the first stage is asked for; it is imported nowhere else."""

from __future__ import annotations

import atexit
import os
import signal
import sys

import numpy as np
import torch
import torch._dynamo  # Making an optimiser imports it, which takes over a second: once here, not in each training.

from recpress.core import jit
from recpress.data.interactions import UserItems
from recpress.experiments import worker  # noqa: F401  # the worker for its effect: stages find it loaded
from recpress.isolation import process_cleanup, sandbox
from recpress.serve import topk

# The program answers interrupts, and ends its stages: they get this from the server, so it holds while they start.
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
# Orphans of a stage that crashed come to the server, where they are found and ended.
sandbox.adopt_orphans()
# A run that was killed ended nothing.
atexit.register(process_cleanup.end_children)


def _compile_ahead() -> None:
    """Compile all kernels in a process of its own, unless that was done: stages can't keep what they compile."""
    if jit.is_compiled_ahead():
        return
    print("Compiling kernels, once: about 20 seconds.", file=sys.stderr, flush=True)
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        jit.compile_ahead()
        jit.note_compiled_ahead()
    finally:
        os._exit(0)


_compile_ahead()
# The first kernel that runs makes numba set itself up, which takes longer than most stages: here once, not in each.
# No thread may be started before a fork, so this is a single small row.
_nobody = UserItems.from_pairs(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, 4)
topk.select(torch.zeros((1, 4)), _nobody, np.zeros(1, np.int64), 2)
