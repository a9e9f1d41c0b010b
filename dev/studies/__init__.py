"""Methods measured on the miniature, where the truth is known.

Each study is a module with main(), run inside ComfyUI's Python (inside.py).
"""
