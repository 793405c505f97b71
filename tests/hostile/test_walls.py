"""The walls: by the kernel's own headers, on systems that lack one, and with what is compiled behind them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import serve
from strange import sound

from recpress.codecs import KINDS, NETWORKS
from recpress.codecs.artefact import Artefact
from recpress.isolation import landlock, sandbox, seccomp
from recpress.isolation.processes import call

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    # What 64-bit ARM has is the generic list.
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_of_calls_are_those_of_the_kernel_s_headers(machine: str) -> None:
    header = HEADERS[machine]
    if not header.is_file():
        pytest.skip(f"{header} isn't installed (Debian: linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    known = {name: int(number) for name, number in found}
    ours = seccomp.numbers(machine)
    # Headers may be older than a call; all that matters here are a decade old.
    assert {"socket", "ptrace", "clone", "prlimit64"} <= known.keys()
    assert {name: number for name, number in ours.items() if known.get(name, number) != number} == {}
    assert len(ours.keys() & known.keys()) > 50


@pytest.mark.parametrize(
    ("linux", "version", "filters", "says"),
    [
        (True, 6, True, None),
        (True, 9, True, None),
        (True, 5, True, "Landlock 5, and 6 is needed"),
        (True, 0, True, "no Landlock"),
        (True, 7, False, "seccomp"),
        (False, 0, False, "can't hold a process"),
    ],
)
def test_what_a_system_lacks_is_said(
    linux: bool, version: int, filters: bool, says: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LINUX", linux)
    monkeypatch.setattr(landlock, "version", lambda: version)
    monkeypatch.setattr(seccomp, "available", lambda: filters)
    lacking, advice = sandbox.isolation(), sandbox.advice()
    if says is None:
        assert lacking is None
        assert advice.state == "ok"
    else:
        assert says in (lacking or "")
        assert advice.state == "note"
        assert "not isolated" in advice.message


@pytest.mark.parametrize("items", [60, 5_000])
def test_a_stage_compiles_nothing_when_it_serves(items: int, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    made = sound(corpus, 300, items)
    assert {kind for folder in made for kind in Artefact.load(folder).kinds()} == {*KINDS, *NETWORKS}
    assert call(serve, corpus, 300, items, timeout=300) == []


def test_kernels_are_compiled_again_when_their_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = tmp_path / "made_kernels.py"
    kernels.write_text(
        "from recpress.core.jit import ahead, kernel\n\n\n@ahead('int64')\n@kernel\ndef twice(n):\n    return 2 * n\n"
    )
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from recpress.core import jit; import made_kernels\n"
        "print(jit.is_compiled_ahead(), made_kernels.twice.stats.cache_path)\n"
        "jit.compile_ahead(); jit.note_compiled_ahead(); print(jit.is_compiled_ahead())\n"
    )

    def run() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert run() == ["False", str(tmp_path / "__pycache__"), "True"]
    assert run()[0] == "True"
    kernels.write_text(kernels.read_text().replace("2 * n", "n + n + 0"))
    assert run()[0] == "False"
