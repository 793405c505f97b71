"""LightGCN-PyTorch's side of the race of trainings; runs in its `code` folder and imports nothing of ours."""

import json
import sys
import time
from pathlib import Path

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
# The peer reads its options from the command line when it is imported: those of its README for Gowalla.
sys.argv = ["main", "--decay=1e-4", "--lr=0.001", "--layer=3", "--seed=2020", "--dataset=gowalla", "--recdim=64"]
sys.argv += ["--tensorboard=0", "--bpr_batch=2048"]
sys.path.insert(0, str(Path.cwd()))
import dataloader  # noqa: E402
import model  # noqa: E402
import torch  # noqa: E402
import utils  # noqa: E402
import world  # noqa: E402

data = dataloader.Loader(path=str(folder))
net = model.LightGCN(world.config, data).train()
loss = utils.BPRLoss(net, world.config)
start = time.perf_counter()
drawn = utils.UniformSample_original(data)
sampling = time.perf_counter() - start
batch = world.config["bpr_batch_size"]
columns = [torch.Tensor(drawn[:, column]).long() for column in range(3)]
times = []
for step in range(steps):
    rows = slice(step * batch, (step + 1) * batch)
    start = time.perf_counter()
    loss.stageOne(*(column[rows] for column in columns))
    times.append(time.perf_counter() - start)
print()
print(json.dumps({"step": times, "sampling": sampling, "steps": -(-len(drawn) // batch)}))
