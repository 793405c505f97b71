"""Catalogues smaller than a codec's words or a row's columns are encoded or refused, and crash nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from recpress.codecs.composite.entropy import Entropy, uncode
from recpress.codecs.kernels.lanes import lay_codes
from recpress.codecs.packing import unpack
from recpress.codecs.tables.product import Product, Residual
from recpress.codecs.tables.uniform import Uniform


@pytest.mark.parametrize("what", ["codecs", "methods"])
def test_tiny_tables_are_encoded_or_refused(what: str) -> None:
    # In a process of its own: native code that writes where it shouldn't ends all of pytest, or a later test.
    words = [sys.executable, str(Path(__file__).with_name("tiny.py")), what]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"MALLOC_PERTURB_": "85"})
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]} ended it: {done.stderr[-2000:]}"
    assert not [line for line in lines if line.startswith("FAULT")]
    assert lines[-1] == "END"


def test_kernels_are_not_handed_rows_shorter_than_they_read() -> None:
    short = torch.zeros(3, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="9 codes of 4 bits don't take 4 bytes"):
        unpack(short, 9, 4)
    with pytest.raises(ValueError, match="9 codes of 8 bits don't take 4 bytes"):
        lay_codes(short.numpy(), 9, 8)
    with pytest.raises(ValueError, match="codes have 1 to 8 bits, not 9"):
        Product.encode(torch.ones(4, 4), 2, bits=9)
    with pytest.raises(ValueError, match="no codebooks"):
        Residual.restore({"code_bits": 4, "columns": 8}, {"codes": short[:, :0], "words": torch.empty(0, 16, 8).half()})


def test_models_that_never_use_a_code_are_refused() -> None:
    coded = Entropy.encode(Uniform.encode(torch.randn(9, 3), 4)).coded
    with pytest.raises(ValueError, match="no code is ever used"):
        uncode(coded | {"frequencies": torch.zeros_like(coded["frequencies"].int()).to(torch.uint16)}, 9)
    with pytest.raises(ValueError, match="one row or more"):
        uncode(coded, 0)
