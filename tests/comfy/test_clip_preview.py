"""The preview shows a clip's frames in turn, through whatever previewer ComfyUI is set to."""

import types

import latent_preview
import pytest
import torch
from few_shot_motion.host.sampling.preview import clip_callback


@pytest.mark.parametrize("video", [False, True])
def test_frames_come_in_turn(monkeypatch, video):
    shown = []
    previewer = types.SimpleNamespace(decode_latent_to_preview_image=lambda kind, x0: shown.append(x0.clone()))
    monkeypatch.setattr(latent_preview, "get_previewer", lambda device, latent_format: previewer)
    model = types.SimpleNamespace(load_device="cpu", model=types.SimpleNamespace(latent_format=None))
    clip = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 4, 2, 2)  # every frame's value is its number
    clip = clip.movedim(0, 1)[None] if video else clip
    callback = clip_callback(model, 5)
    for step in range(5):
        callback(step, clip, clip, 5)
    assert [float(x0.unique()) for x0 in shown] == [1, 2, 0, 1, 2]
    assert all(x0.shape == ((1, 4, 1, 2, 2) if video else (1, 4, 2, 2)) for x0 in shown), "as core's previewers take it"
