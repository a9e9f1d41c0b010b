"""The loop the miniature's weights are learnt in, on two processes as on one, and in which precision."""

import subprocess
import sys
from pathlib import Path

import fitting
import image_model
import pytest
import torch

AIMS = ((1.0, 2.0), (5.0, -2.0))
SCRIPT = f"""
import sys
sys.path.append({str(Path(fitting.__file__).parent)!r})
from pathlib import Path
import torch
from fitting import fit, share
rank, processes = share()
assert processes == 2
aim, w = torch.tensor({AIMS})[rank], torch.tensor([3.0, 5.0], requires_grad=True)
folder = Path(sys.argv[1])
for _ in fit("w", {{"w": w}}, lambda step: (w - aim).square().sum(), 3, 0.1, folder):
    pass
torch.save(w.detach(), folder / f"{{rank}}.pt")
"""


def test_two_processes_learn_from_both_halves_of_a_batch(tmp_path):
    script = tmp_path / "learn.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d",
                "--rdzv-endpoint", "localhost:0"]  # fmt: skip
    ended = subprocess.run([*torchrun, script, tmp_path], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    w = torch.tensor([3.0, 5.0], requires_grad=True)
    (tmp_path / "alone").mkdir()
    for _ in fitting.fit(
        "w", {"w": w}, lambda step: (w - torch.tensor(AIMS)).square().sum(1).mean(), 3, 0.1, tmp_path / "alone"
    ):
        pass
    assert torch.equal(first, second)
    assert torch.allclose(first, w.detach(), atol=1e-6) and not torch.equal(w.detach(), torch.tensor([3.0, 5.0]))
    kept = torch.load(tmp_path / "w.state")
    assert kept["step"] == 3 and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("device", "has", "wanted"),
    [("cpu", (), None), ("cpu", ("avx512_bf16",), torch.bfloat16), ("cpu", ("amx_bf16",), torch.bfloat16),
     ("cuda", (), torch.bfloat16)],
)  # fmt: skip
def test_a_cpu_without_bf16_of_its_own_computes_in_fp32(device, has, wanted, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {f: f in has for f in ("avx512_bf16", "amx_bf16")})
    assert image_model.precision(device) == wanted
    if device == "cpu":
        with image_model.autocast(device):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == (wanted or torch.float32)
