"""How much faster than dense fp32 each packed codec answers: the faster of torch (GEMM + topk) and FAISS FlatIP.

    python benchmark/perf/kernels.py --items 1000000 --batch 1
    python benchmark/perf/kernels.py --items 40000 --batch 256

Candidates answer through `Recommender.recommend`, seen items masked; the references don't mask. Each is timed in turn
with both references in this process, and the column is the ratio to the faster one, with its 95 % interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import faiss
import numpy as np
import torch
from tabulate import tabulate

from recpress.codecs import Binary, Codec, Dense, Product, Uniform
from recpress.codecs.artefact import Artefact
from recpress.data.interactions import UserItems
from recpress.measure.latency import Answer, interleave
from recpress.measure.load import load_average
from recpress.measure.synthetic import catalogue
from recpress.serve.recommender import Recommender

USERS, WIDTH, SEEN, K = 1024, 64, 27, 20
CODECS: dict[str, Callable[[torch.Tensor], Codec]] = {
    "fp32": Dense.encode,
    "bf16": partial(Dense.encode, values="bf16"),
    "fp16": partial(Dense.encode, values="fp16"),
    **{f"int{bits} row": partial(Uniform.encode, bits=bits) for bits in (8, 6, 4, 3, 2)},
    "int8 symmetric": partial(Uniform.encode, bits=8, symmetric=True),
    "int4 tensor": partial(Uniform.encode, bits=4, granularity="tensor"),
    "binary": Binary.encode,
    "product 16 x 4": partial(Product.encode, parts=16, bits=4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each pair")
    parser.add_argument("--codecs", default=",".join(CODECS), help="comma-separated")
    options = parser.parse_args()
    users, items = catalogue(USERS, WIDTH, seed=1), catalogue(options.items, WIDTH)
    rng = np.random.default_rng(0)
    pairs = np.repeat(np.arange(USERS), SEEN), rng.integers(0, options.items, USERS * SEEN)
    seen = UserItems.from_pairs(*pairs, USERS, options.items)
    faiss.omp_set_num_threads(options.threads)  # Now, for it resets torch; the timing pins both.
    references = {"torch": torch_answer(users, items, options.batch), "faiss": faiss_answer(users, items)}
    rows = []
    for name in options.codecs.split(","):
        codec = CODECS[name](items)
        recommender = Recommender(Artefact(Dense.encode(users), codec), seen)
        answer = partial(recommender.recommend, k=K)
        timings = [
            interleave(
                answer,
                reference,
                np.arange(USERS),
                batch_size=options.batch,
                scenario="single" if options.batch == 1 else "batch",
                threads=options.threads,
                seconds=options.seconds,
            )
            for reference in references.values()
        ]
        worst = max(timings, key=lambda timing: timing.ratio)
        rows.append(
            [
                name,
                recommender.scorer.kernel,
                codec.breakdown().total() / len(items),
                worst.p50_ms,
                *(1 / timing.ratio for timing in timings),
                f"{1 / worst.ratio_high:.2f} to {1 / worst.ratio_low:.2f}",
            ]
        )
    headers = ["codec", "kernel", "bytes/row", "ms", *(f"× {name}" for name in references), "interval of the lesser"]
    print(f"{options.items:,} × {WIDTH}, top-{K}, {options.batch} users a call, {options.threads} threads, "
          f"load average {load_average():.1f}")  # fmt: skip
    print(tabulate(rows, headers, floatfmt=".2f"))


def torch_answer(users: torch.Tensor, items: torch.Tensor, batch: int) -> Answer:
    buffer = torch.empty(batch, len(items))

    def answer(asked: np.ndarray) -> object:
        return torch.mm(users[torch.from_numpy(asked)], items.T, out=buffer).topk(K)

    return answer


def faiss_answer(users: torch.Tensor, items: torch.Tensor) -> Answer:
    index = faiss.IndexFlatIP(WIDTH)
    index.add(items.numpy())
    return lambda asked: index.search(users.numpy()[asked], K)


if __name__ == "__main__":
    main()
