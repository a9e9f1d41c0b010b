"""Motion in a model of half precision, which is what ComfyUI loads on nearly every GPU: it moves, and as in fp32."""

import pytest
import torch
import unets
from moving import EVERY, FIRST, clip, moving


@pytest.fixture(scope="module")
def whole():
    return unets.sd_model(unets.TINY)


@pytest.fixture(scope="module", params=[torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def half(request):
    return unets.sd_model(unets.TINY, dtype=request.param)


@pytest.mark.parametrize("method", EVERY)
def test_a_half_precision_model_moves_as_the_whole_one(whole, half, method):
    dtype = half.model.get_dtype_inference()
    assert dtype in (torch.float16, torch.bfloat16)
    model = moving(half, method)
    made, expected = clip(model), clip(moving(whole, method))
    assert torch.isfinite(made).all() and torch.equal(made[:1], FIRST["samples"])
    rounding = (clip(half) - clip(whole)).abs().mean()  # of the image model alone
    assert (made - expected).abs().mean() < 1.5 * rounding
    assert torch.equal(clip(model), made), "another clip the second time"
