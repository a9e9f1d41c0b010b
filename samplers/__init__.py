"""Sampling of clips: noise across frames, the first frame as a condition, statistics of latents and pictures. Knows
torch only.

A model is a function `model(x, sigma) -> denoised`; clips are latents `f c h w`. Frames count as in the papers, from
the first.
"""
