"""A clip's latents on their way through ComfyUI's samplers."""
