"""Few-Shot Motion: video from the image model a user has. ComfyUI's entry; the rooms are described in README.md."""

from .host import version

if version.is_supported():  # asked first: an older ComfyUI lacks what our nodes import
    from .nodes import FewShotMotion

    WEB_DIRECTORY = "./web"

    async def comfy_entrypoint() -> FewShotMotion:
        return FewShotMotion()

else:  # no nodes: a pack that names none at all gets a second sentence in the log
    NODE_CLASS_MAPPINGS = {}
