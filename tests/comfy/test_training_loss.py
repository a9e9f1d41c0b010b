"""What error a training step of Train Motion LoRA learns by, in models that predict noise and in those of v."""

import folder_paths
import pytest
import torch
import unets
from classroom import run
from few_shot_motion.host.training import lesson
from few_shot_motion.training.loss import video_loss


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


@pytest.fixture
def watch(monkeypatch):
    """watch(model): what its UNet is shown and says from now on, and x0, eps and sigma of every step."""

    def watching(model) -> tuple[list, list]:
        unet, seen, drawn = model.model.diffusion_model.__class__, [], []
        original = unet.forward

        def watched(unet, x, *arguments, **settings):
            seen.append((x.detach(), original(unet, x, *arguments, **settings)))
            return seen[-1][1]

        monkeypatch.setattr(unet, "forward", watched)
        monkeypatch.setattr(lesson, "video_loss", lambda *a, **b: drawn.append(a[1:4]) or video_loss(*a, **b))
        return seen, drawn

    return watching


def test_a_model_of_v_learns_the_error_of_v(watch):
    """The first loss of a fresh adapter, which adds nothing, is the mean squared error of the model's own v, whatever
    the weighting.
    """
    model = unets.family_model("SD 2.x")
    seen, drawn = watch(model)
    losses = [run(model, captions=[unets.prompt("SD 2.x")], method="Recurrent", steps=1,
                  weighting=weighting)[1]["loss"][0]
              for weighting in ("uniform", "balanced")]  # fmt: skip
    (x0, eps, sigma), (x, v) = drawn[0], seen[0]
    scale = (1 + sigma**2).sqrt()
    assert torch.allclose(x, ((x0 + sigma * eps) / scale).flatten(0, 1), atol=1e-5)
    assert (
        losses[0]
        == losses[1]
        == pytest.approx((v - (eps - sigma * x0).flatten(0, 1) / scale).square().mean().item(), rel=1e-3)
    )


def test_weighted_as_v_a_model_that_predicts_noise_learns_by_the_error_of_v(watch):
    model = unets.sd_model(unets.NANO)
    seen, drawn = watch(model)
    loss = run(model, method="Recurrent", steps=1, weighting="v")[1]["loss"][0]
    (x0, eps, sigma), ((_, noise),) = drawn[0], seen
    noise, scale = noise.reshape(x0.shape), (1 + sigma**2).sqrt()
    of_v = (noise - sigma * (x0 + sigma * (eps - noise))) / scale - (eps - sigma * x0) / scale
    assert sigma > 0.1 and loss == pytest.approx(of_v.square().mean().item(), rel=1e-3)
