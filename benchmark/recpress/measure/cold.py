"""Cold start: from starting a process to its first answer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from recpress.measure.latency import Answer, Users


def first_answer(command: Callable[[int], Sequence[str]]) -> Answer:
    """Return a way to answer that starts a process for every call and waits for its first line.

    Timed with `recpress.measure.latency.interleave` as scenario "cold", it is the time from process start to first
    answer, in turn with that of the reference's process.

    Parameters
    ----------
    command : callable
        Takes a user id and returns the command line of a process that prints the user's top-K.

    Raises
    ------
    RuntimeError
        From the answer: when a process ends without one. Its last words are in the message.
    """

    def answer(users: Users) -> str:
        words = list(command(int(users[0])))
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{' '.join(words)} gave no answer: {process.stderr.read().strip()[-500:]}")
            process.kill()  # How long it takes to end is not part of a cold start.
        return line

    return answer
