"""`python3 dev compat`: the pack on every ComfyUI it supports, and beside other packs."""
