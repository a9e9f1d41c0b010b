"""ComfyUI's side of everything that is no node class."""
