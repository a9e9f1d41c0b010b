"""What masks add to the training objective, against plain arithmetic; and which gradients it has."""

import math

import pytest
import torch
from few_shot_motion.motion_modules.mask_predictor import MaskContext, MaskPredictor, mix_first_frame, resize_masks
from few_shot_motion.training import mask_loss as losses
from few_shot_motion.training.clips import ClipSet, check_masks
from few_shot_motion.training.loss import lamp_loss
from few_shot_motion.training.mask_loss import MaskLearner, MaskSettings


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("kind", ["x0", "noise"])
def test_the_predictor_sees_x0_or_the_noise_of_the_same_pass(kind):
    torch.manual_seed(0)
    z, eps, said = (torch.randn(2, 3, 4, 5, 5) for _ in range(3))
    abar = torch.tensor([0.9, 0.1])  # the paper's terms
    x_t = abar.sqrt().view(2, 1, 1, 1, 1) * z + (1 - abar).sqrt().view(2, 1, 1, 1, 1) * eps
    x0_hat = torch.stack([(x_t[i] - math.sqrt(1 - abar[i]) * said[i]) / math.sqrt(abar[i]) for i in range(2)])
    sigma = ((1 - abar) / abar).sqrt()  # ours
    x = z + sigma.view(2, 1, 1, 1, 1) * eps
    denoised = x - sigma.view(2, 1, 1, 1, 1) * said
    seen = losses.predictor_input(kind, x, denoised, sigma)
    assert torch.allclose(seen, x0_hat if kind == "x0" else said, atol=1e-5)


def test_loss_is_the_cross_entropy_of_all_frames_but_the_first():
    torch.manual_seed(0)
    logits, masks, weight = torch.randn(2, 3, 2, 2), torch.rand(2, 3, 2, 2), torch.tensor([0.5, 2.0])
    total = 0.0
    for clip in range(2):
        error = 0.0
        for frame in (1, 2):
            for i in range(2):
                for j in range(2):
                    p, y = sigmoid(float(logits[clip, frame, i, j])), float(masks[clip, frame, i, j])
                    error -= y * math.log(p) + (1 - y) * math.log(1 - p)
        total += float(weight[clip]) * error / 8 / 2
    assert losses.mask_loss(logits, masks, weight).item() == pytest.approx(total, rel=1e-5)
    logits[:, 0], masks[:, 0] = 9.0, 0.0  # frame 0 is a condition
    assert losses.mask_loss(logits, masks, weight).item() == pytest.approx(total, rel=1e-5)


def test_weights():
    sigma = torch.tensor([0.0, 2.0])
    alpha = lambda weighting, step: losses.alpha_at(weighting, 0.5, sigma, step, 100).tolist()  # noqa: E731
    assert alpha("constant", 40) == [0.5, 0.5]
    assert alpha("noise level", 40) == pytest.approx([0.5, 0.1])
    assert [alpha("rising", step)[1] for step in (0, 24, 30, 50, 99)] == pytest.approx([0, 0, 0.1, 0.5, 0.5])
    assert [alpha("falling", step)[1] for step in (0, 50, 100)] == pytest.approx([0.5, 0.5 * 0.505, 0.005])


def test_resizing_is_bilinear_over_what_a_position_covers():
    mask = (torch.rand(24, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()

    def weights(size: int, cells: int) -> torch.Tensor:
        scale = size / cells
        rows = []
        for cell in range(cells):
            centre = (cell + 0.5) * scale
            row = torch.tensor([max(0.0, 1 - abs(i + 0.5 - centre) / scale) for i in range(size)])
            rows.append(row / row.sum())
        return torch.stack(rows)

    expected = weights(24, 3) @ mask @ weights(16, 2).T
    assert torch.allclose(resize_masks(mask[None], 3, 2)[0], expected, atol=1e-5)


def test_targets():
    mask = torch.tensor([0.0, 0.49, 0.5, 1.0])
    assert torch.equal(losses.mask_targets(mask, "soft"), mask)
    assert losses.mask_targets(mask, "hard").tolist() == [0, 0, 1, 1]


def test_a_limb_between_the_middles_of_positions_is_not_lost():
    mask = torch.zeros(1, 16, 16)
    mask[:, :, 7:9] = 1  # plain bilinear looks at columns 3, 4, 11 and 12 only
    assert resize_masks(mask, 2, 2).min() > 0.1


def test_split_loss_is_the_mean_over_layers_each_at_its_size():
    torch.manual_seed(0)
    gates, masks = [torch.randn(1, 3, 4, 4), torch.randn(1, 3, 2, 2)], (torch.rand(1, 3, 8, 8) > 0.5).float()
    terms = []
    for gate in gates:
        y, p = resize_masks(masks, *gate.shape[-2:])[:, 1:], torch.sigmoid(gate[:, 1:])
        terms.append(-(y * p.log() + (1 - y) * (1 - p).log()).mean())
    assert losses.split_loss(gates, masks).item() == pytest.approx(float(sum(terms) / 2), rel=1e-5)


# ------------------------------------------------------------------------------------------------ the small networks


def test_the_predictor_looks_at_one_frame_at_a_time():
    torch.manual_seed(0)
    predictor, x = MaskPredictor(4, 8), torch.randn(2, 3, 4, 6, 5)
    logits = predictor(x)
    assert logits.shape == (2, 3, 6, 5)
    assert sum(parameter.numel() for parameter in MaskPredictor().parameters()) == 39_873
    changed = x.clone()
    changed[0, 1] += 1
    different = (predictor(changed) != logits).flatten(2).any(-1)
    assert different.tolist() == [[False, True, False], [False, False, False]]


def test_the_predictor_looks_at_what_differs_within_a_frame():
    torch.manual_seed(0)
    predictor, x = MaskPredictor(4, 8), torch.randn(1, 2, 4, 6, 6)
    other = x * torch.tensor([2.0, 5.0, 1.0, 3.0]).view(4, 1, 1) + torch.randn(2, 4, 1, 1)
    assert torch.allclose(predictor(other), predictor(x), atol=1e-2)
    assert torch.isfinite(predictor(torch.ones(1, 2, 4, 6, 6))).all()


def test_probabilities_are_of_latents_as_a_vae_makes_them():
    torch.manual_seed(0)
    predictor, z = MaskPredictor(4, 8, scale=torch.tensor([0.5, 1.0, 2.0, 3.0]), shift=0.25), torch.randn(5, 4, 6, 6)
    scaled = torch.stack([z[:, c] * scale + 0.25 for c, scale in enumerate((0.5, 1.0, 2.0, 3.0))], dim=1)
    assert torch.allclose(predictor.probabilities(z, frames=2), torch.sigmoid(predictor(scaled[None])[0]), atol=1e-6)
    again = MaskPredictor.of({f"mask_predictor.{name}": value for name, value in predictor.state_dict().items()})
    assert torch.equal(again.probabilities(z), predictor.probabilities(z))


def test_the_baseline_mixes_the_first_frame_with_its_mask_and_starts_as_lamp():
    torch.manual_seed(0)
    context, x, mask = MaskContext(), torch.randn(2, 3, 4, 5, 5), torch.rand(2, 5, 5)
    scale = torch.tensor([0.5, 0.1])
    assert torch.allclose(mix_first_frame(context, x, mask, scale), x, atol=1e-6)
    torch.nn.init.normal_(context.weight)
    torch.nn.init.normal_(context.bias)
    mixed = mix_first_frame(context, x, mask, scale)
    assert torch.equal(mixed[:, 1:], x[:, 1:])
    weight, bias = context.weight[:, :, 0, 0], context.bias
    for clip in range(2):
        z0 = x[clip, 0, :, 2, 3] * scale[clip]  # what the UNet would have seen
        expected = weight[:, :4] @ z0 + weight[:, 4] * mask[clip, 2, 3] + bias
        assert torch.allclose(mixed[clip, 0, :, 2, 3] * scale[clip], expected, atol=1e-5)


def objective(settings: MaskSettings, steps: int = 10):
    """A model of one weight under the whole objective: (weight, learner, loss, what the UNet saw)."""
    torch.manual_seed(0)
    weight = torch.tensor(0.5, requires_grad=True)
    x0, eps, masks, sigma = (
        torch.randn(1, 3, 4, 4, 4),
        torch.randn(1, 3, 4, 4, 4),
        torch.rand(1, 3, 4, 4),
        torch.tensor([2.0]),
    )
    scale, learner = 1 / (1 + sigma**2).sqrt(), MaskLearner(settings, steps, torch.ones(4), torch.zeros(4))
    watched = learner.watch(lambda x, sigma: torch.tanh(x * weight), masks, scale)
    rec = lamp_loss(watched, x0, eps, sigma, scale)
    return weight, learner, rec, watched.loss([], step=5), watched


@pytest.mark.parametrize("kind", ["x0", "noise"])
def test_the_masks_error_reaches_the_model_and_vanishes_with_alpha(kind):
    weight, learner, _, extra, watched = objective(MaskSettings(kind, mask_weight=1.0, mask_weighting="constant"))
    logits = learner.mask_predictor(losses.predictor_input(kind, watched.x, watched.denoised, watched.sigma))
    targets = losses.mask_targets(watched.masks, "hard")
    assert extra.item() == pytest.approx(losses.mask_loss(logits, targets, torch.ones(1)).item())
    (gradient,) = torch.autograd.grad(extra, weight)
    assert abs(gradient) > 1e-5
    weight, learner, rec, extra, _ = objective(MaskSettings(kind, mask_weight=0.0))
    assert extra.item() == 0 and torch.autograd.grad(extra, weight)[0] == 0


def test_the_baseline_adds_no_loss_and_is_learnt_through_the_noise_loss():
    _, learner, rec, extra, _ = objective(MaskSettings("conditioned"))
    assert extra.item() == 0 and learner.mask_predictor is None
    assert {name for name, _ in learner.named_parameters()} == {"mask_context.weight", "mask_context.bias"}


# ------------------------------------------------------------------------------------------------ masks beside clips


def test_masks_share_windows_and_mirrors_with_their_clips():
    latents = [torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    clips = ClipSet(latents, 3, flipped=[clip.flip(-1) for clip in latents], masks=[clip[:, 0] for clip in latents])
    mirrored = 0
    for step in range(30):
        windows, _, masks = clips.draw(step, 2, torch.Generator().manual_seed(step))
        assert torch.equal(masks, windows[:, :, 0])
        mirrored += any(torch.equal(masks[0, 0], clip[i, 0].flip(-1)) for clip in latents for i in range(6))
    assert 3 < mirrored < 27


def test_masks_draw_nothing_of_their_own():
    latents = [torch.rand(6, 1, 4, 4)]
    drawn = [
        ClipSet(latents, 3, masks=masks).draw(0, 2, torch.Generator().manual_seed(1))
        for masks in (None, [latents[0][:, 0]])
    ]
    assert torch.equal(drawn[0][0], drawn[1][0]) and drawn[0][2] is None


CLIP = torch.rand(4, 16, 16, 3)
MASK = torch.zeros(4, 16, 16)
MASK[:, 4:9, 4:9] = 1


@pytest.mark.parametrize(
    "masks, message",
    [
        ([MASK], "There are 2 clips and 1 masks"),
        ([MASK, MASK[:3]], "Clip 2 has 4 frames, its masks are 3"),
    ],
)
def test_masks_that_cannot_be_learnt_from(masks, message):
    with pytest.raises(ValueError, match=message):
        check_masks(masks, [len(CLIP)] * 2)


def test_empty_and_full_masks_are_named():
    assert check_masks([MASK, MASK], [len(CLIP)] * 2) == []
    empty, full = check_masks([MASK * 0, MASK * 0 + 1], [len(CLIP)] * 2)
    assert empty == "The masks of clip 1 are empty, there is no subject in them." and "clip 2 are full" in full
