"""Learning a motion from a few clips: which frames, which noise, which loss, one step after another.

Knows torch, not ComfyUI.
"""
