"""Folders and files of ComfyUI."""
