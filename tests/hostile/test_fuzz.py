"""Artefacts that somebody may bring: three thousand mutated ones are refused in one sentence, or serve their table."""

from __future__ import annotations

import json
import random
import select
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from strange import ITEMS, MUTATIONS, USERS, sound

from recpress.codecs import KINDS, NETWORKS
from recpress.codecs.artefact import Artefact

pytestmark = pytest.mark.slow
SERVER = Path(__file__).with_name("server.py")
COUNT = 3_000
SECONDS = 20.0


class Child:
    """The pre-loaded process; it is replaced when it hangs or ends."""

    def __init__(self, corpus: Path) -> None:
        self.corpus = corpus
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        scratch = self.corpus.with_name("scratch")
        scratch.mkdir(exist_ok=True)
        words = [sys.executable, str(SERVER), str(scratch), str(self.corpus), str(USERS), str(ITEMS)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def ask(self, folder: Path) -> dict[str, str]:
        """Return what it says of an artefact."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{folder}\n")
        answered, *_ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if answered else ""
        if line:
            return dict(json.loads(line))
        self.process.kill()
        ended = self.process.wait()
        self.process = self._start()
        return {"traceback": f"ended with {ended}" if answered else "hangs"}


def test_every_mutated_artefact_is_refused_in_a_sentence_or_serves_its_table(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    seeds = sound(corpus / "sound")
    assert {kind for seed in seeds for kind in Artefact.load(seed).kinds()} == {*KINDS, *NETWORKS}
    child = Child(corpus)
    assert {seed.name: child.ask(seed) for seed in seeds} == {seed.name: {"refused": ""} for seed in seeds}
    told: Counter[str] = Counter()
    faults = []
    for number in range(COUNT):
        dice = random.Random(number)
        seed, mutate = seeds[number % len(seeds)], dice.choice(MUTATIONS)
        folder = corpus / f"m{number}"
        shutil.copytree(seed, folder)
        mutate(dice, folder)
        said = child.ask(folder)
        shutil.rmtree(folder)
        sentence = said.get("refused", "\n")
        if "traceback" in said or "\n" in sentence:
            faults.append((number, seed.name, mutate.__name__, said.get("traceback", sentence)))
        told["refused" if sentence else "served"] += 1
    child.process.kill()
    print(dict(told))
    assert not faults, f"{len(faults)} faults, the first of them: " + "\n".join(map(str, faults[:12]))
    assert min(told["refused"], told["served"]) > COUNT / 20
