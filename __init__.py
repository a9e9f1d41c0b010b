"""Few-Shot Motion: video from the image model a user has. ComfyUI's entry; the rooms are described in README.md."""

from comfy_api.latest import ComfyExtension

from .nodes import NODES

WEB_DIRECTORY = "./web"


class FewShotMotion(ComfyExtension):
    async def get_node_list(self):
        return NODES


async def comfy_entrypoint() -> FewShotMotion:
    return FewShotMotion()
