"""The promise of the ratio, on a machine that others keep busy: A/A and a planted slowdown, twenty times each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
import torch

from recpress.measure.latency import Answer, interleave
from recpress.records.record import Latency

REPEATS = 20
# A published figure may take 20.
SECONDS = 12.0
USERS = np.arange(5000)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def busy_machine() -> Iterator[None]:
    """Keep every core busy with something that also uses the memory."""
    script = "import numpy as np\na = np.ones(4_000_000)\nwhile True: a += 1"
    others = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(psutil.cpu_count() or 1)]
    yield
    for process in others:
        process.kill()
        process.wait()


def reference() -> Answer:
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(5000, 64, generator=generator), torch.randn(40_000, 64, generator=generator)
    scores = torch.empty(1, 40_000)

    def answer(asked: np.ndarray) -> object:
        torch.mm(users[torch.from_numpy(asked)], items.T, out=scores)
        return torch.topk(scores, 20)

    return answer


def repeated(candidate: Answer, answer: Answer) -> list[Latency]:
    return [
        interleave(candidate, answer, USERS, batch_size=1, scenario="single", seconds=SECONDS, seed=seed)
        for seed in range(REPEATS)
    ]


def test_the_reference_against_itself_is_not_told_apart() -> None:
    answer = reference()
    results = repeated(answer, answer)
    for each in results:
        print(f"{each.ratio:.4f} [{each.ratio_low:.4f}, {each.ratio_high:.4f}] others {each.others_load:.2f}")
    assert sum(each.ratio_low <= 1 <= each.ratio_high for each in results) >= 0.9 * REPEATS
    assert sum((each.ratio_high - each.ratio_low) / 2 <= 0.05 for each in results) >= 0.9 * REPEATS
    assert all(each.noisy for each in results)


def test_a_slowdown_of_a_tenth_is_detected() -> None:
    answer = reference()

    def slowed(asked: np.ndarray) -> None:
        start = time.perf_counter()
        answer(asked)
        end = time.perf_counter()
        until = end + 0.1 * (end - start)
        while time.perf_counter() < until:
            pass

    results = repeated(slowed, answer)
    for each in results:
        print(f"{each.ratio:.4f} [{each.ratio_low:.4f}, {each.ratio_high:.4f}]")
    assert sum(each.ratio_low > 1 for each in results) >= 0.9 * REPEATS
