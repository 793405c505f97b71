"""Checkup of this machine: what it can measure, and the cost of what is missing. Imports nothing slow."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from recpress.core.paths import cache_dir
from recpress.measure.load import NOISY, LoadMeter
from recpress.measure.machine import THREADS, Machine, environment
from recpress.measure.metering.counters import POWERCAP, Counter, CounterUnavailable, nvml_devices, rapl_packages

LOAD_SECONDS = 0.5
# The synthetic catalogue in fp32, and a batch of 256 score rows over it.
SCALE_BYTES = 4 * 1_000_000 * (64 + 256)
FREE_DISK_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Advice:
    """One line of a checkup.

    Attributes
    ----------
    topic : str
    state : {"ok", "note", "missing"}
        Missing: some figure will not be in the records. Note: all figures are, read them with this in mind.
    message : str
        What is there; or what is missing without it, and how to get it.
    """

    topic: str
    state: Literal["ok", "note", "missing"]
    message: str


def checkup(machine: Machine, powercap: Path = POWERCAP) -> list[Advice]:
    """Look at everything that a figure may rest on; takes about half a second.

    Parameters
    ----------
    machine : Machine
    powercap : Path
        Where the RAPL counters are.
    """
    return [
        _counters("CPU energy", lambda: rapl_packages(powercap), "CPU energy is modelled and analytic, not measured"),
        _counters("GPU energy", nvml_devices, "GPU energy is not measured")
        if machine.gpus
        else Advice("GPU energy", "note", "no NVIDIA GPU: training and kernels run on the CPU, as the records say"),
        _package("codecarbon", "no modelled energy and so no CO2e and no break-even", "pip install 'recpress[energy]'"),
        _cores(machine),
        _others_load(),
        _frequency(machine),
        _virtual(machine),
        _instructions(machine),
        _cache(machine),
        _memory(machine),
        _threads(),
        _disk(),
        _program("git", "provenance lacks the commit"),
    ]


def _counters(topic: str, find: Callable[[], list[Counter]], cost: str) -> Advice:
    try:
        found = find()
    except CounterUnavailable as error:
        return Advice(topic, "missing", f"{cost}: {error}")
    return Advice(topic, "ok", f"measured by {', '.join(counter.name for counter in found)}")


def _package(name: str, cost: str, fix: str) -> Advice:
    if find_spec(name):
        return Advice(name, "ok", "installed")
    return Advice(name, "missing", f"{cost}: {fix}")


def _program(name: str, cost: str) -> Advice:
    return Advice(name, "ok", "found") if shutil.which(name) else Advice(name, "missing", f"{cost}: install {name}")


def _cores(machine: Machine) -> Advice:
    if machine.threads > 2:
        return Advice("cores", "ok", f"{machine.threads} hardware threads")
    text = f"{machine.threads} hardware threads: a timing on all of them has no core left for anything else"
    return Advice("cores", "note", f"{text}; close what runs, and trust the ratios of one thread first")


def _others_load() -> Advice:
    meter = LoadMeter()
    time.sleep(LOAD_SECONDS)
    share = meter.others()
    if share > NOISY:
        return Advice("load", "note", f"others use {share:.0%} of the CPU (limit {NOISY:.0%}): timings would be noisy")
    return Advice("load", "ok", f"others use {share:.0%} of the CPU")


def _frequency(machine: Machine) -> Advice:
    if machine.governor is None:
        return Advice("frequency", "note", "governor can't be read: milliseconds may drift, ratios hardly do")
    if machine.governor != "performance":
        fix = "sudo cpupower frequency-set -g performance"
        return Advice("frequency", "note", f"governor {machine.governor}: milliseconds drift with it; {fix}")
    return Advice("frequency", "ok", "governor performance")


def _virtual(machine: Machine) -> Advice:
    if machine.virtual:
        return Advice("virtual", "note", "a virtual machine: neighbours on the same caches and memory can't be seen")
    return Advice("virtual", "ok", "no hypervisor is seen")


def _instructions(machine: Machine) -> Advice:
    dots = [flag for flag in ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm") if flag in machine.flags]
    if dots:
        return Advice("int8", "ok", f"dot products of bytes in hardware ({', '.join(dots)})")
    return Advice("int8", "note", "no dot products of bytes in hardware: int8 kernels gain less time than elsewhere")


def _cache(machine: Machine) -> Advice:
    largest = max(machine.caches.values(), default=0)
    if not largest:
        return Advice("cache", "note", "sizes can't be read")
    size = f"{largest / 2**20:.0f} MiB"
    return Advice("cache", "note", f"tables below {size} stay in cache: fewer bytes show in time only above that")


def _memory(machine: Machine) -> Advice:
    need = 2 * SCALE_BYTES / 2**30
    if machine.ram_gib < need:
        return Advice("memory", "missing", f"{machine.ram_gib} GiB: the 1M × 64 catalogue needs about {need:.1f}")
    return Advice("memory", "ok", f"{machine.ram_gib} GiB")


def _threads() -> Advice:
    if variables := environment(THREADS):
        shown = ", ".join(f"{name}={value}" for name, value in variables.items())
        return Advice("threads", "note", f"{shown}: runs pin their own count, libraries may not exceed this one")
    return Advice("threads", "ok", "no variable limits them; timings pin their own")


def _disk() -> Advice:
    folder = cache_dir()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        return Advice("cache folder", "missing", f"{folder} can't be written: set RECPRESS_CACHE to a folder that can")
    if free < FREE_DISK_BYTES:
        return Advice("cache folder", "note", f"{free / 2**30:.1f} GiB free at {folder}: the large sets need more")
    return Advice("cache folder", "ok", f"{folder}, {free / 2**30:.0f} GiB free")
