"""A training run inside ComfyUI: from a MODEL and clips to an adapter."""
