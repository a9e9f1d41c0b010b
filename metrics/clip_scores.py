"""Numbers from CLIP's embeddings of frames and prompts (Radford et al. 2021, arXiv 2103.00020); frames `f d`, prompt
`d`, not normalised.

Cosines come back as they are, in [-1, 1]; papers print them times 100, or times the model's own logit scale, which is
100 for OpenAI's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def unit(embeddings: Tensor) -> Tensor:
    """`… d` => `… d` of length 1, in float64; a row of zeros stays one."""
    return F.normalize(embeddings.double(), dim=-1)


def alignment_per_frame(frames: Tensor, prompt: Tensor) -> Tensor:
    """f d, d => f: cosine of every frame with the prompt."""
    return unit(frames) @ unit(prompt)


def alignment(frames: Tensor, prompt: Tensor) -> float:
    """Mean cosine with the prompt: LAMP's alignment (arXiv 2310.10769, section 4), the recurrent paper's CLIP-Score,
    Text2Video-Zero's CLIP score.
    """
    return float(alignment_per_frame(frames, prompt).mean())


def temporal_per_pair(frames: Tensor) -> Tensor:
    """f d => f-1: cosine of every frame with the next."""
    e = unit(frames)
    return (e[:-1] * e[1:]).sum(dim=-1)


def clip_temp(frames: Tensor) -> float:
    """CLIP-Temp (EvalCrafter, arXiv 2310.11440): mean cosine of consecutive frames; NaN for a single frame."""
    return float(temporal_per_pair(frames).mean())


def consistency(frames: Tensor) -> float:
    """LAMP's consistency, Tune-A-Video's frame consistency: mean cosine over all pairs of frames; NaN for a single
    frame.
    """
    e = unit(frames)
    i, j = torch.triu_indices(len(e), len(e), offset=1)
    return float((e @ e.T)[i, j].mean())


def diversity(videos: Sequence[Tensor]) -> float:
    """LAMP's diversity: mean product over pairs of videos, each the mean of its frames' unit embeddings. Lower is more
    diverse.

    A video's mean is not made unit again, so inconsistent frames lower it too. NaN for a single video.
    """
    means = torch.stack([unit(frames).mean(dim=0) for frames in videos])
    i, j = torch.triu_indices(len(means), len(means), offset=1)
    return float((means @ means.T)[i, j].mean())
