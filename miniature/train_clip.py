"""The miniature's CLIP: two small towers that learn which caption belongs to which picture, so that CLIP's numbers mean
something in its world.

One file in Hugging Face's layout, as users have of the real one. CLIP's vocabulary of 49,408 tokens is kept, so the
text tower is 8 numbers wide: of its weights nearly all are the table of tokens. Every tenth scene is never shown: on
those it is tested.
"""

from pathlib import Path

import fitting
import numpy as np
import torch
import world
from torch import Tensor
from torch.nn import functional as F

FILE = Path(__file__).parent / "models" / "clip_vision" / "miniature_clip.safetensors"
SIDE = 64  # px, what the image tower sees
SCALE = (
    20.0  # logits per cosine, not learned: a low one drives right and wrong cosines apart, and they are what is printed
)
BATCH = 50  # different scenes
TEXT = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 256,
        "vocab_size": 49408,
        "bos_token_id": 49406, "eos_token_id": 49407}  # fmt: skip
VISION = {
    "hidden_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 1,
    "intermediate_size": 256,
    "patch_size": 8,
    "image_size": SIDE,
}
SCENES = world.all_scenes()
HELD_OUT = [
    scene for i, scene in enumerate(SCENES) if (i + i // 5 + i // 25) % 10 == 0
]  # every colour, shape and background is among them
SHOWN = [scene for scene in SCENES if scene not in HELD_OUT]
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def pairs(seed: int, step: int, count: int = BATCH) -> tuple[Tensor, list[str]]:
    """Pictures (count 3 64 64) of different scenes, and their captions: stills and frames of motions, some soft or
    noisy as a diffusion model draws.
    """
    rng = np.random.default_rng([seed, step, 4])
    images, captions = [], []
    for i in rng.permutation(len(SHOWN))[:count]:
        motion = list(world.MOTIONS)[rng.integers(len(world.MOTIONS))]
        moves = rng.random() < 0.6
        state = (
            world.path(motion, world.start_state(motion, rng))[rng.integers(16)] if moves else world.still_state(rng)
        )
        images.append(_worn(world.draw(SHOWN[i], state), rng))
        captions.append(SHOWN[i].caption(motion if rng.random() < 0.5 else ""))
    return torch.stack(images), captions


def _worn(picture: np.ndarray, rng: np.random.Generator) -> Tensor:
    """3 64 64: half of them blurred, with a tint and noise."""
    x = F.avg_pool2d(torch.from_numpy(picture).movedim(-1, 0).float() / 255, 2)
    if rng.random() < 0.5:
        soft = F.avg_pool2d(x[None], 3, 1, 1, count_include_pad=False)[0]
        tint = torch.from_numpy(rng.normal(1, 0.04, (3, 1, 1))).float()
        noise = torch.from_numpy(rng.normal(0, 0.03 * rng.random(), x.shape)).float()
        x = torch.lerp(x, soft, float(rng.random())) * tint + noise
    return x.clamp(0, 1)


def new_model() -> torch.nn.Module:
    """Both towers with random weights, the logit scale at its fixed value."""
    import transformers

    config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
    model = transformers.CLIPModel(config)
    model.logit_scale.data.fill_(np.log(SCALE))
    return model


def loss_of(model: torch.nn.Module, images: Tensor, ids: Tensor) -> Tensor:
    """Radford et al. 2021, figure 3: which caption is the picture's, and which picture is the caption's."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _STD))
    logits = model(pixel_values=(images - mean) / std, input_ids=ids).logits_per_image
    right = torch.arange(len(logits))
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def train_clip(seed: int, steps: int, folder: Path) -> torch.nn.Module:
    """On the CPU: a tower this small gains nothing from anything else."""
    from comfy.sd1_clip import SDTokenizer

    torch.manual_seed(seed)
    model = new_model()
    tokenizer = SDTokenizer().tokenizer

    def loss_at(step: int) -> Tensor:
        images, captions = pairs(seed, step)
        tokens = tokenizer(captions, padding=True, return_tensors="pt")  # what is behind the first end is not looked at
        return loss_of(model, images, tokens["input_ids"])

    parameters = {key: value for key, value in model.named_parameters() if key != "logit_scale"}
    fitting.report("clip", fitting.fit("clip", parameters, loss_at, steps, 1e-3, folder), steps)
    return model


def write(model: torch.nn.Module) -> None:
    """The file the miniature lists as a CLIP, in half precision."""
    FILE.parent.mkdir(exist_ok=True)
    fitting.write(model.state_dict(), FILE)
