"""An honest artefact passes every audit; each way to cheat is caught by the check that is named for it."""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from recpress.checks.audit import CHECKS, Ask, Subject, audit
from recpress.codecs import Dense, LowRank, Sparse, Uniform
from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact
from recpress.codecs.work import Work
from recpress.measure.watch import scrubbed, watch
from recpress.serve import topk

N_USERS, N_ITEMS, D, K = 300, 1000, 32, 20


def asker(artefact: Artefact) -> Ask:
    scorer = artefact.items.scorer()

    def ask(users: np.ndarray) -> np.ndarray:
        queries = artefact.users.decode(torch.from_numpy(users))
        return topk.select(scorer.scores(queries), None, users, K)[0]

    return ask


def honest(folder: Path) -> Ask:
    return asker(Artefact.load(folder))


def build(folder: Path) -> None:
    generator = torch.Generator().manual_seed(7)
    users, items = (torch.randn(n, D, generator=generator) for n in (N_USERS, N_ITEMS))
    Artefact(Uniform.encode(users, bits=8), Uniform.encode(items, bits=4)).save(folder)


def subject(
    folder: Path, load: Callable[[Path], Ask] = honest, build: Callable[[Path], None] | None = build
) -> Subject:
    users = np.arange(N_USERS, dtype=np.int64)
    # Scoring mode: before any audit, all users at once, garbage collection on.
    return Subject(folder, load, users, load(folder)(users), build)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build(tmp_path / "artefact")
    return tmp_path / "artefact"


def failed(audited: Subject) -> dict[str, str]:
    return {each.check: each.message for each in audit(audited) if each.state == "failed"}


def test_an_honest_artefact_passes_every_check(folder: Path) -> None:
    outcomes = audit(subject(folder))
    assert [each.check for each in outcomes] == list(CHECKS)
    assert [each for each in outcomes if each.state != "passed"] == []


@pytest.mark.parametrize(
    "encode",
    [
        lambda table: Dense.encode(table, "fp16"),
        lambda table: Uniform.encode(table, bits=3, granularity="tensor", symmetric=True),
        lambda table: Sparse.encode(table * (table.abs() > 1), Uniform.encode),
        lambda table: LowRank(Uniform.encode(table[:, :8], bits=2), Dense.encode(torch.randn(8, D))),
    ],
)
def test_every_codec_passes_the_checks_of_bytes(tmp_path: Path, encode: Callable[[torch.Tensor], object]) -> None:
    users, items = torch.randn(N_USERS, D), torch.randn(N_ITEMS, D)
    Artefact(encode(users), encode(items)).save(tmp_path / "a")
    audited = subject(tmp_path / "a")
    assert [CHECKS[name](audited) for name in ("nothing-unclaimed", "breakdown-adds-up", "bits-as-claimed")] == [
        None
    ] * 3


def test_what_can_not_be_checked_is_skipped_and_says_why(folder: Path) -> None:
    audited = replace(subject(folder, build=None), users=np.arange(20), scored=honest(folder)(np.arange(20)))
    skipped = {each.check: each.message for each in audit(audited) if each.state == "skipped"}
    assert skipped.keys() == {"same-bytes", "keeps-no-answers"}
    assert "20 users are too few" in skipped["keeps-no-answers"]


def test_a_method_that_caches_answers_is_caught(folder: Path) -> None:
    def caching(path: Path) -> Ask:
        ask, kept = honest(path), {}

        def cached(users: np.ndarray) -> np.ndarray:
            key = users.tobytes()
            if key not in kept:
                kept[key] = ask(users)
            return kept[key]

        return cached

    assert failed(subject(folder, caching)).keys() == {"keeps-no-answers"}


def test_fp32_shipped_beside_int8_as_a_file_is_caught(folder: Path) -> None:
    np.save(folder / "exact.npy", np.zeros((N_ITEMS, D), np.float32))
    audited = subject(folder)
    assert "exact.npy" in (CHECKS["nothing-unclaimed"](audited) or "")
    assert "the files are" in (CHECKS["breakdown-adds-up"](audited) or "")
    assert "exact.npy" in (CHECKS["same-bytes"](audited) or "")


def test_fp32_shipped_beside_int8_as_a_tensor_is_caught(folder: Path) -> None:
    tensors = load_file(folder / TENSORS)
    save_file(tensors | {"items.exact": torch.zeros(N_ITEMS, D)}, folder / TENSORS)
    found = failed(subject(folder))
    assert found.keys() >= {"nothing-unclaimed", "breakdown-adds-up"}
    assert "items.exact (F32, (1000, 32))" in found["nothing-unclaimed"]


def test_a_table_hidden_in_the_manifest_is_caught(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"note": "x" * 40_000}))
    assert "manifest.json has" in (CHECKS["nothing-unclaimed"](subject(folder)) or "")


def test_codes_wider_than_the_bits_claimed_are_caught(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that says 4 bits and stores a byte for each would have to claim it; here its claim is forged."""
    wide = Artefact.load(folder)
    codes = torch.zeros(N_ITEMS, D, dtype=torch.uint8)
    forged = Artefact(wide.users, Uniform(codes, wide.items.scale, wide.items.offset, 8, D))
    (folder / TENSORS).unlink()
    (folder / MANIFEST).unlink()
    forged.save(folder)
    monkeypatch.setattr(Uniform, "options", lambda self: {"bits": 4 if self.bits == 8 else self.bits, "columns": D})
    found = CHECKS["bits-as-claimed"](Subject(folder, honest, np.arange(0), np.empty((0, K), np.int32)))
    assert found == "users claims 4 bits, 4,800 bytes; its codes take 9,600"


@pytest.mark.parametrize("how", ["python", "mapped"])
def test_a_method_that_reads_outside_its_artefact_is_caught(tmp_path: Path, folder: Path, how: str) -> None:
    hidden = tmp_path / "hidden.safetensors"
    save_file({"table": torch.randn(N_ITEMS, D)}, hidden)
    kept = []

    def reading(path: Path) -> Ask:
        if how == "python":
            hidden.read_bytes()
        else:
            kept.append(torch.from_file(str(hidden), size=64, dtype=torch.uint8))
        return honest(path)

    found = failed(replace(subject(folder), load=reading))
    assert found.keys() == {"reads-only-itself"}
    assert "hidden.safetensors" in found["reads-only-itself"]


def test_a_method_that_needs_the_folder_it_was_built_in_is_caught(folder: Path) -> None:
    found = CHECKS["reads-only-itself"](subject(folder, lambda path: honest(folder)))
    assert found is not None
    assert "manifest.json" in found


def test_a_method_that_answers_differently_when_timed_is_caught(folder: Path) -> None:
    def two_faced(path: Path) -> Ask:
        ask = honest(path)

        def answer(users: np.ndarray) -> np.ndarray:
            if gc.isenabled():
                return ask(users)
            return np.tile(np.arange(K, dtype=np.int32), (len(users), 1))

        return answer

    found = failed(subject(folder, two_faced))
    assert found.keys() == {"times-as-scored"}
    assert "when timed (single)" in found["times-as-scored"]


def test_a_method_that_depends_on_its_environment_is_caught(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACT_TABLE", "yes")

    def switched(path: Path) -> Ask:
        ask = honest(path)
        return lambda users: ask(users if "EXACT_TABLE" in os.environ else users[::-1].copy())

    assert "another folder" in (CHECKS["moves"](subject(folder, switched)) or "")
    assert os.environ["EXACT_TABLE"] == "yes"


@pytest.mark.parametrize("how", ["network", "process"])
def test_a_method_that_asks_someone_else_is_caught(folder: Path, how: str) -> None:
    def asking(path: Path) -> Ask:
        if how == "network":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
                connection.connect(("127.0.0.1", 9))
        else:
            subprocess.run([sys.executable, "-c", ""], check=True)
        return honest(path)

    message = CHECKS["stays-alone"](subject(folder, asking))
    assert message is not None
    assert ("127.0.0.1" if how == "network" else sys.executable) in message


def test_a_build_that_depends_on_more_than_its_seed_is_caught(folder: Path) -> None:
    def random(path: Path) -> None:
        Artefact(Dense.encode(torch.randn(N_USERS, D)), Dense.encode(torch.randn(N_ITEMS, D))).save(path)

    assert "artefact.safetensors" in (CHECKS["same-bytes"](subject(folder, build=random)) or "")


def test_a_subject_that_crashes_is_a_finding(folder: Path) -> None:
    audited = subject(folder)
    (folder / MANIFEST).write_text("{")
    assert "moves" in failed(audited)


def test_counting_cores_starts_nothing_that_counts() -> None:
    with watch() as seen:
        subprocess.run([sys.executable, "-c", ""], check=True)
        for words in (["lscpu"], "lscpu"):
            subprocess.run(words, stdout=subprocess.DEVNULL, check=False)
        os.system("true; lscpu > /dev/null")
    assert seen.processes == {sys.executable, "b'true; lscpu > /dev/null'"}


def test_nobody_watches_after_the_watch(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("a")
    with watch() as seen:
        file.read_text()
    before = set(seen.files)
    (tmp_path / "b").write_text("b")
    assert file.resolve() in before
    assert seen.files == before


def test_the_environment_of_a_server_has_no_switches() -> None:
    needed = {"PATH": "/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell", "MKL_CBWR": "AVX2"}
    assert scrubbed({**needed, "MY_TABLE": "x"}) == needed


def test_work_adds_up_by_type() -> None:
    assert Work({"fp32": 1, "int8": 2}, 3) + Work({"int8": 4}, 5) == Work({"fp32": 1, "int8": 6}, 8)
