"""What a call of the UNet does at the width of real models, counted on the meta device: no worse than it was.

Kernels and memory traffic of 16 frames of 320x512 px in half precision, against the image model's own; exact, and the
same on every machine. A figure here is what was reached: whoever reaches less writes it here.
"""

import pytest
import torch

from dev.benching.call import counted
from dev.benching.real_widths import PLAIN, image_model, moving

# family, motion: kernels with one clip and with two (guidance), bytes as a share of the image model's for both
REACHED = {
    ("SD 1.5", "LAMP"): (1220, 1252, 1.442, 1.465),
    ("SD 1.5", "LAMP rank 32"): (1350, 1382, 1.428, 1.459),
    ("SD 1.5", "AnimateDiff v2"): (1247, 1277, 1.816, 1.866),
    ("SD 1.5", "Recurrent"): (2920, 2952, 1.601, 1.604),
    ("SD 1.5", "Tune-A-Video"): (968, 1000, 1.377, 1.401),
    ("SD 1.5", "Text2Video-Zero"): (680, 680, 0.952, 0.951),
    ("ModelScope", "ModelScope"): (1430, 1436, 2.165, 2.195),
}


@pytest.fixture(scope="module")
def plain():
    """A family's own counts, with one clip and two."""
    known = {}

    def of(family: str):
        if family not in known:
            known[family] = both(family, PLAIN)
        return known[family]

    return of


def both(family: str, motion: str):
    with torch.no_grad():
        model = moving(image_model(family, torch.float16, "meta"), motion)
    return [counted(model, family, clips) for clips in (1, 2)]


@pytest.mark.parametrize("family, motion", REACHED)
def test_motion_costs_no_more_kernels_and_no_more_traffic_than_it_did(plain, family, motion):
    own, found = plain(family), both(family, motion)
    kernels = [count.kernels for count in found]
    shares = [count.traffic / image.traffic for count, image in zip(found, own, strict=True)]
    print(f"{motion}: kernels {kernels} of {[count.kernels for count in own]}, traffic {shares}")
    assert all(now <= then for now, then in zip((*kernels, *shares), REACHED[family, motion], strict=True))


def test_what_is_counted():
    """A view is nothing; a product, a copy and a fused attention are one kernel each; an expanded operand is read
    once.
    """
    from dev.benching.counting import Counting

    x = torch.empty(2, 3, 4, 5, device="meta")
    with torch.no_grad(), Counting() as count:
        torch.nn.functional.scaled_dot_product_attention(x, x, x).transpose(1, 2).flatten(2)
        x.transpose(0, 1).contiguous()
        torch.bmm(x[0], x[0, 0].T.expand(3, -1, -1))
    sizes = {"attention": 4 * 120, "clone": 2 * 120, "bmm": 60 + 20 + 48}
    assert {name: moved // 4 for name, moved in count.bytes_by.items()} == sizes
    assert count.kernels == 3 and count.traffic == 4 * sum(sizes.values())
