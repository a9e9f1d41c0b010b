"""Real clips, and a UNet of Stable Diffusion 1.x's shape that is taught by their frames: what `python3 dev study real`
is made of. The clips and the autoencoder are no part of the repository.
"""
