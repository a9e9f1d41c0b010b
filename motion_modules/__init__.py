"""Temporal layers for Stable Diffusion UNets, and the files they are kept in. Knows torch, not ComfyUI.

layers.py    what is computed: motion convolution, temporal attention, group norm over frames
key_frames.py  which frames self-attention takes keys and values from; recurrent.py: the memory it may read beside them
blocks.py    what a transformer block gets of all this
sites.py     where it sits in a UNet, read off the UNet's own parameter shapes
module.py    the layers of one adapter as a torch module whose parameter names are those of its file
unet.py      how a UNet's blocks run with them: stateless, nothing in the UNet is replaced
methods.py   what tells one method from another: LAMP's layers, AnimateDiff's (animatediff.py)
adapter.py   our file format; released.py, animatediff_file.py, animatediff_lora.py: the layouts of others' releases
"""
