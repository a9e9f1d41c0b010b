"""The miniature as a custom-node package: it teaches ComfyUI the shape of its models and where their files are. It has
no nodes.

Only `python3 dev` and the tests load it, into a ComfyUI of their own; never a user's install.
"""

from pathlib import Path

import folder_paths
from comfy import supported_models
from comfy_api.latest import ComfyExtension
from typing_extensions import override

from .config import Miniature

if not any(model.__name__ == Miniature.__name__ for model in supported_models.models):
    supported_models.models.append(Miniature)
for folder in sorted((Path(__file__).parent / "models").glob("*/")):
    folder_paths.add_model_folder_path(folder.name, str(folder))


class MiniatureExtension(ComfyExtension):
    """What ComfyUI asks every package for."""

    @override
    async def get_node_list(self) -> list:
        """None: loading the package is all it takes."""
        return []


async def comfy_entrypoint() -> MiniatureExtension:
    """Found by ComfyUI under this name."""
    return MiniatureExtension()
