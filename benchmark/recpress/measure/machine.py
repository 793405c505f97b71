"""The machine that a record was made on, and its fingerprint."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from recpress.core.hashing import sha256_json
from recpress.measure.watch import KERNELS

# Instructions that decide which kernel runs: vectors, half precision, dot products of bytes, bit counts, tiles.
FLAGS = (
    "popcnt", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "avx512_vpopcntdq", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
# Products of bytes in one instruction: most of what codes of 8 bits gain in speed, they gain by it.
BYTE_PRODUCTS: Final = "avx512_vnni"
KERNEL_PACKAGES = ("torch", "numpy", "numba", "scipy")
CPU0 = Path("/sys/devices/system/cpu/cpu0")


@dataclass(frozen=True)
class Machine:
    """Description of a machine: all readable facts that may change a timing.

    Attributes
    ----------
    cpu : str
        Model name.
    cores, threads : int
        Physical cores and hardware threads.
    flags : tuple of str
        Those of `FLAGS` that the processor has.
    caches : dict of str to int
        Bytes of each cache of the first core: ``L1d``, ``L2``, ``L3``.
    ram_gib : int
        Rounded, so that what the firmware keeps for itself doesn't matter.
    gpus : tuple of str
    system, kernel : str
    virtual : bool or None
        Whether a hypervisor is below; None where this can't be told.
    governor : str or None
        Frequency governor of the first core; None where it can't be read (as in most virtual machines).
    blas : str
        What numpy calls.
    python : str
    packages : dict of str to str
        Versions of the libraries whose kernels run.
    """

    cpu: str
    cores: int
    threads: int
    flags: tuple[str, ...]
    caches: dict[str, int]
    ram_gib: int
    gpus: tuple[str, ...]
    system: str
    kernel: str
    virtual: bool | None
    governor: str | None
    blas: str
    python: str
    packages: dict[str, str]

    @property
    def label(self) -> str:
        """A name for people."""
        gpus = f", {', '.join(self.gpus)}" if self.gpus else ""
        return f"{self.cpu}, {self.threads} threads, {self.ram_gib} GiB{gpus}"

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the hash of everything above."""
        return sha256_json(asdict(self))[:12]

    def json(self) -> str:
        """Return what ``machines/<fingerprint>.json`` holds."""
        return json.dumps({"label": self.label, **asdict(self)}, indent=1, sort_keys=True) + "\n"


def named(fingerprint: str, about: Mapping[str, Any]) -> str:
    """Return a name for people that tells machines of one model apart.

    Parameters
    ----------
    fingerprint : str
    about : mapping
        What ``machines/<fingerprint>.json`` holds, whoever wrote it; may be empty.
    """
    if not isinstance(about.get("cpu"), str):
        return f"a machine that is not described, {fingerprint}"
    cpu = about["cpu"][:80]
    if (has := has_byte_products(about)) is not None:
        cpu += f" {'with' if has else 'without'} {BYTE_PRODUCTS}"
    caches = about.get("caches")
    if isinstance(caches, dict) and isinstance(first := caches.get("L1d"), int):
        cpu += f" (L1d {first // 2**10} KiB)"
    threads, gpus = about.get("threads"), about.get("gpus")
    parts = [cpu]
    if isinstance(threads, int):
        parts.append(f"{threads} threads")
    if isinstance(gpus, list):
        parts += [str(gpu)[:80] for gpu in gpus[:4]]
    return ", ".join([*parts, fingerprint])


def has_byte_products(about: Mapping[str, Any]) -> bool | None:
    """Return whether a described x86 processor multiplies bytes in one instruction; None where this isn't told."""
    flags = about.get("flags")
    # Of the flags that are noted, every x86 processor of today has this one, and no other has it.
    return BYTE_PRODUCTS in flags if isinstance(flags, list) and "popcnt" in flags else None


@cache
def fingerprint() -> Machine:
    """Read the machine; once per process."""
    cpuinfo = _cpuinfo()
    have = set(cpuinfo.get("flags", cpuinfo.get("Features", "")).split())
    return Machine(
        cpu=cpuinfo.get("model name") or _brand(),
        cores=psutil.cpu_count(logical=False) or 1,
        threads=psutil.cpu_count() or 1,
        flags=tuple(flag for flag in FLAGS if flag in have),
        caches=_caches(),
        ram_gib=round(psutil.virtual_memory().total / 2**30),
        gpus=_gpus(),
        system=platform.system(),
        kernel=platform.release(),
        virtual="hypervisor" in have if have else None,
        governor=_text(CPU0 / "cpufreq" / "scaling_governor"),
        blas=_blas(),
        python=platform.python_version(),
        packages={name: metadata.version(name) for name in KERNEL_PACKAGES},
    )


THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "KMP_AFFINITY")


def environment(names: Sequence[str] = (*THREADS, *KERNELS)) -> dict[str, str]:
    """Return the variables that set thread counts or choose kernels. They belong to the process, not to the machine."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _cpuinfo() -> dict[str, str]:
    """Return the first processor of /proc/cpuinfo."""
    text = _text(Path("/proc/cpuinfo")) or ""
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def _brand() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def _caches() -> dict[str, int]:
    """Return the sizes of the caches that hold data, in bytes."""
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    found = {}
    for index in sorted((CPU0 / "cache").glob("index*")):
        level, kind, size = (_text(index / name) for name in ("level", "type", "size"))
        if level and size and kind in ("Data", "Unified"):
            bytes_ = int(size[:-1]) * units[size[-1]] if size[-1] in units else int(size)
            found[f"L{level}{'d' if kind == 'Data' else ''}"] = bytes_
    return found


def _gpus() -> tuple[str, ...]:
    """Return the names of NVIDIA GPUs, from the driver's own files: no library is needed."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = (line for file in files for line in (_text(file) or "").splitlines())
    return tuple(line.partition(":")[2].strip() for line in lines if line.startswith("Model:"))


def _blas() -> str:
    # show_config is typed as returning None; with mode="dicts" it returns a dict.
    config = np.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"] if config else {}
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
