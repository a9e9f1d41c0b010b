"""Which part of which clip a training step sees: in turn, from any frame on, mirrored and moved."""

import pytest
import torch
from few_shot_motion.training.clips import ClipSet, shift_of


def test_clips_take_turns_and_windows_fit():
    latents = [torch.arange(length).view(-1, 1, 1, 1).float() + 100 * i for i, length in enumerate((4, 7, 5))]
    clips, starts = ClipSet(latents, frames=4), set()
    for step in range(60):
        windows, chosen, _ = clips.draw(step, 2, torch.Generator().manual_seed(step))
        assert chosen == [2 * step % 3, (2 * step + 1) % 3]
        assert windows.shape == (2, 4, 1, 1, 1)
        for window, clip in zip(windows, chosen, strict=True):
            start = int(window[0]) - 100 * clip
            assert torch.equal(window.flatten(), latents[clip].flatten()[start : start + 4])
            starts.add((clip, start))
    assert starts == {(0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)}


def test_clips_are_moved_to_either_side_and_their_masks_with_them():
    """Column k shows what lay at k - by, the edge where nothing did; every way comes, the furthest on both sides."""
    plain, mask = torch.arange(6.0).view(1, 1, 1, 6), torch.eye(6)[2].view(1, 1, 6)
    generator, ways = torch.Generator().manual_seed(0), []
    for step in range(500):
        window, _, masks = ClipSet([plain], 1, masks=[mask], shift=2).draw(step, 1, generator)
        by = int(masks.flatten().argmax()) - 2
        assert window.flatten().tolist() == [min(max(k - by, 0), 5) for k in range(6)]
        ways.append(by)
    assert all(70 < ways.count(by) < 130 for by in range(-2, 3)) and len(ways) == 500


def test_without_a_shift_no_random_number_is_taken_for_it():
    clips, one, two = ClipSet([torch.zeros(1, 1, 1, 4)], 1), *(torch.Generator().manual_seed(3) for _ in range(2))
    clips.draw(0, 1, one)
    torch.randint(0, 1, (), generator=two)  # the window's first frame
    assert torch.equal(one.get_state(), two.get_state())


def test_a_shift_in_pixels_is_one_of_latents():
    assert [shift_of(px, 512, 64) for px in (0, 1, 8, 24, 256)] == [0, 1, 1, 3, 32] and shift_of(24, 96, 6) == 2
    with pytest.raises(ValueError, match="shift is 257 px and the clips are 512 px wide: choose .* at most, 256"):
        shift_of(257, 512, 64)


def test_half_the_clips_are_mirrored_and_their_masks_with_them():
    plain, mask = torch.arange(4.0).view(1, 1, 1, 4), torch.tensor([0.0, 0.0, 0.0, 1.0]).view(1, 1, 4)
    clips = ClipSet([plain], 1, [plain.flip(-1)], [mask])
    generator, mirrored = torch.Generator().manual_seed(0), 0
    for step in range(1000):
        window, _, masks = clips.draw(step, 1, generator)
        assert float(window[0, 0, 0, 0][masks[0, 0, 0] == 1]) == 3
        mirrored += int(window[0, 0, 0, 0, 0] == 3)
    assert 450 < mirrored < 550
