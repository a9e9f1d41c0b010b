"""The public model files that our workflows name: where each is put and where it is from.

The browser offers to fetch what is missing, from the model hub's own domain only.
"""

from . import markdown

_HUB = "https://huggingface.co"
SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"
MODULE = "v3_sd15_mm.ckpt"  # AnimateDiff's motion module, version 3, for SD 1.5
DOMAIN = "v3_sd15_adapter.ckpt"  # the LoRA that comes with it
LCM_MODULE = "AnimateLCM_sd15_t2v.ckpt"  # a motion module for few steps, version 2's layers
LCM = "AnimateLCM_sd15_t2v_lora.safetensors"  # and the LoRA that lets SD 1.5 draw in few steps
CANNY = "control_v11p_sd15_canny_fp16.safetensors"
BIREFNET = "birefnet.safetensors"
RAFT = "raft_large_C_T_SKHT_V2-ff5fadd5.safetensors"
CLIP = "model.safetensors"  # OpenAI's ViT-L/14 with both towers; the hub has it under no other name
I3D = "i3d_pretrained_400.pt"
_I3D_AT = "spaces/LanguageBind/Open-Sora-Plan-v1.0.0/resolve/810fa8c4bdb3a4c8eec9bd57375c29bde6fb46de"
FILES = {  # name -> folder in models, address
    SD15: ("checkpoints", f"{_HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/{SD15}"),
    SDXL: ("checkpoints", f"{_HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/{SDXL}"),
    MODULE: ("motion_adapters", f"{_HUB}/guoyww/animatediff/resolve/main/{MODULE}"),
    DOMAIN: ("loras", f"{_HUB}/guoyww/animatediff/resolve/main/{DOMAIN}"),
    LCM_MODULE: ("motion_adapters", f"{_HUB}/wangfuyun/AnimateLCM/resolve/main/{LCM_MODULE}"),
    LCM: ("loras", f"{_HUB}/wangfuyun/AnimateLCM/resolve/main/{LCM}"),
    CANNY: ("controlnet", f"{_HUB}/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/{CANNY}"),
    BIREFNET: ("background_removal", f"{_HUB}/Comfy-Org/BiRefNet/resolve/main/background_removal/{BIREFNET}"),
    RAFT: ("optical_flow", f"{_HUB}/Comfy-Org/void-model/resolve/main/optical_flow/{RAFT}"),
    CLIP: ("clip_vision", f"{_HUB}/openai/clip-vit-large-patch14/resolve/main/{CLIP}"),
    I3D: ("i3d", f"{_HUB}/{_I3D_AT}/opensora/eval/fvd/videogpt/{I3D}"),
}


def page() -> str:
    """All of them as a page that a person can check."""
    rows = [[f"`{name}`", f"`models/{folder}`", f"<{address}>"] for name, (folder, address) in FILES.items()]
    return (
        "# Public model files that the templates name\n\n"
        "The page offers to fetch what is missing. `model.safetensors` is OpenAI's CLIP ViT-L/14 with both towers.\n"
        "What you train yourself (`motion_00001_.safetensors`) appears in `output/motion_adapters`.\n\n"
        + markdown.table(["file", "folder", "address"], rows)
        + "\n"
    )
