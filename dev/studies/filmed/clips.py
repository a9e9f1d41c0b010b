"""Real clips as the study takes them: at half their size, with captions of our own, their latents encoded once."""

from collections.abc import Iterable
from pathlib import Path

import folder_paths
import torch
from comfy.latent_formats import SD15
from comfy_api.latest import InputImpl
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...interpreter import ROOT
from ...trouble import Trouble

REAL = ROOT.parent / "shared" / "real"
FRAMES = 16
SIGNERS = {  # who is seen in the clips of signs
    "a man in a black pullover with a skull": ("again", "brother", "help", "no", "student", "yes"),
    "a man in a grey t-shirt": ("bird", "milk", "please", "sorry", "thanks"),
    "a woman in an orange pullover": ("book", "learn", "school", "walk"),
    "a man in a dark pullover with a pattern": ("eat", "night", "sister"),
    "a man in a chequered pullover": ("hungry", "want"),
}
WALKERS = (
    "a woman with long blond hair in a grey coat",
    "a man in black with short dark hair",
    "a woman with long brown hair in black",
    "a man in a black t-shirt",
    "a woman with black hair in a grey dress",
    "a man in a grey shirt",
)
WALKS = tuple(f"walks_out/walks_out_{number}" for number in range(len(WALKERS)))
CAPTIONS = {f"signs/{sign}": f"{who} makes a sign with the hands" for who, signs in SIGNERS.items() for sign in signs}
CAPTIONS |= {walk: f"{who} walks out to the right" for walk, who in zip(WALKS, WALKERS, strict=True)}
SEEN, UNSEEN = WALKS[:4], WALKS[4:]  # by the motion layers


def place(folder: Path) -> Path:
    """The folder of the real clips. Raises Trouble where they are not there."""
    if not folder.is_dir():
        raise Trouble(f"There are no real clips at {folder}: --real says where they are")
    return folder


def read(file: Path) -> Tensor:
    """A clip's first 16 frames `f h w 3` in [0, 1]."""
    return InputImpl.VideoFromFile(str(file)).get_components().images[:FRAMES]


def halved(pictures: Tensor) -> Tensor:
    """Pictures `f h w c` at half their size."""
    return avg_pool2d(pictures.movedim(-1, 1), 2).movedim(1, -1)


def clip(folder: Path, name: str) -> Tensor:
    """A clip by its name in CAPTIONS, 16 frames of 160x256 px."""
    return halved(read(folder / "clips" / f"{name}.mp4"))


def masks(folder: Path, name: str) -> Tensor:
    """Where the person is in each frame of a walk, `f h w` in [0, 1]."""
    return halved(read(folder / "masks" / f"{name}.mp4"))[..., 0]


def autoencoder(folder: Path):
    """TAESD as core's Load VAE loads it."""
    import nodes

    folder_paths.add_model_folder_path("vae_approx", str(folder / "taesd"))
    return nodes.VAELoader().load_vae("taesd")[0]


def latents(folder: Path, file: Path, names: Iterable[str] = CAPTIONS, frames: int = FRAMES) -> dict[str, Tensor]:
    """Clips' latents `f 4 20 32` in the scale the UNet sees, by name; encoded once, then read from this file. Raises
    Trouble where there is neither it nor a clip."""
    if not file.exists():
        vae, scale = autoencoder(place(folder)), SD15().process_in
        with torch.inference_mode():
            encoded = {name: scale(vae.encode(clip(folder, name)[:frames]).float()).contiguous() for name in names}
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(encoded, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    return load_file(file)
