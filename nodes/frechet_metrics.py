"""The node that compares two sets of videos."""

import math

from comfy_api.latest import io

from ..metrics.frechet import bootstrap_interval, floor, frechet_distance, grouped_distance, mean_part, statistics
from ..metrics.i3d import LEAST_FRAMES
from . import video_features
from .metric_inputs import Progress, Videos, clips_input
from .metric_pictures import contact_sheet
from .metric_report import Measurement, report_output, table_input
from .motion import CATEGORY

_NONE = "none"
_ENOUGH = 256  # videos, to rank methods

video_features.register()


class FrechetVideoDistance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FrechetVideoDistance",
            display_name="Fréchet Video Distance",
            category=CATEGORY,
            description="Compares a set of generated videos with a set of real ones (FVD), as a whole and per subject or prompt (sFVD, tFVD).",
            search_aliases=["FVD", "sFVD", "tFVD", "I3D", "evaluate video"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                clips_input("videos", "The generated videos: a list of videos, or of image batches, all of one size."),
                io.Combo.Input("i3d", options=video_features.networks(),
                               tooltip="I3D's weights in models/i3d: the RGB network of 400 classes, trained from scratch."),
                io.Int.Input("frames", default=16, min=LEAST_FRAMES, max=1024,
                             tooltip="The first so many frames of every video are compared; 9 is the least I3D takes. The same in both sets, always."),
                io.Combo.Input("kept_reference", options=[_NONE, *video_features.kept_names()], default=_NONE,
                               tooltip="Features kept by an earlier run, in place of reference videos."),
                io.String.Input("keep_reference_as", default="", advanced=True,
                                tooltip="Name under which the reference's features are kept in output/video_features; empty: not at all."),
                io.Int.Input("resamples", default=100, min=0, max=10000, advanced=True,
                             tooltip="Resamples of the bootstrap interval; 0 leaves it out."),
                table_input("table"),
                clips_input("reference", "The real videos; more and other ones than trained on.", optional=True),
                io.String.Input("video_groups", optional=True, force_input=True,
                                tooltip="Subject or prompt of each generated video, for a distance per group (sFVD, tFVD)."),
                io.String.Input("reference_groups", optional=True, force_input=True, tooltip="Subject or prompt of each reference video."),
            ],
            outputs=[io.Float.Output(display_name="fvd", tooltip="The distance; 0 is equal. It depends on how many videos there are: see the report."),
                     io.Float.Output(display_name="group_mean", tooltip="Mean of the groups' distances: sFVD or tFVD. NaN without groups."),
                     io.Float.Output(display_name="group_spread", tooltip="Standard deviation of the groups' distances. NaN without groups."),
                     report_output(),
                     io.Image.Output(display_name="picture", tooltip="First frames of both sets, as they were measured.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, i3d, kept_reference, **_) -> str:
        return video_features.stamps(i3d[0], kept_reference[0])

    @classmethod
    def execute(cls, videos, i3d, frames, kept_reference, keep_reference_as, resamples, table, reference=(), video_groups=(),
                reference_groups=()) -> io.NodeOutput:  # fmt: skip
        kept, frames, resamples = kept_reference[0], frames[0], resamples[0]
        if (kept == _NONE) == (not reference):
            raise ValueError(
                "A distance needs one set to compare with: either connect reference videos, or choose kept features, not both."
            )
        generated, real = (
            Videos(videos, least=frames, cut=frames),
            Videos(list(reference), "reference videos", frames, frames) if reference else None,
        )
        network = video_features.load_network(i3d[0])
        progress = Progress(len(generated) + (len(real) if real else 0) + resamples)
        b = (
            video_features.restore(kept, network, frames)
            if real is None
            else video_features.features_of(real, list(reference_groups), network, progress)
        )
        if keep_reference_as[0]:
            video_features.keep(keep_reference_as[0], b)
        a = video_features.features_of(generated, list(video_groups), network, progress)
        numbers, remarks = measure(a, b, resamples, progress)
        lines = [*remarks, network.description, a.description, b.description,
                 "bilinear to 224x224 without antialiasing, [-1, 1], logits averaged over time; float64, divisor n - 1"]  # fmt: skip
        found = Measurement("Fréchet video distance", numbers, lines, f"{len(a.features)} / {len(b.features)}")
        sheet = {"generated": generated.first_frames(), **({"reference": real.first_frames()} if real else {})}
        return found.output(table[0], contact_sheet(sheet), shown=("fvd", "group_mean", "group_spread"))


def measure(
    a: video_features.FeatureSet, b: video_features.FeatureSet, resamples: int, progress: Progress
) -> tuple[dict[str, float], list[str]]:
    """The numbers, and what must be said about them."""
    stats = statistics(a.features), statistics(b.features)
    fvd = frechet_distance(*stats)
    low, high = bootstrap_interval(a.features, b.features, resamples, tick=progress.tick) if resamples else (math.nan, math.nan)
    numbers = {"fvd": fvd, "low": low, "high": high, "means_only": mean_part(*stats), "group_mean": math.nan, "group_spread": math.nan}
    fewest = min(len(a.features), len(b.features))
    remarks = [
        f"low, high: 95 % of {resamples} bootstrap resamples, laid around fvd; means_only: the part of fvd that depends least on how many videos there are"
    ]
    if fewest < _ENOUGH:
        remarks.insert(
            0, f"WARNING: {fewest} videos. Below {_ENOUGH} the number says more about how few there are than about their quality."
        )
    if len(b.features) >= 4:
        remarks.append(f"floor: the reference's two halves are {floor(b.features):.6g} apart, at {len(b.features) // 2} videos each")
    if len(a.features) != len(b.features):
        remarks.append("the sets differ in size, which papers avoid")
    if a.groups or b.groups:
        grouped = grouped_distance(a.features, a.groups, b.features, b.groups)
        numbers |= {"group_mean": grouped.mean, "group_spread": grouped.spread}
        remarks.append("groups: " + ", ".join(f"{name} {value:.6g}" for name, value in grouped.values.items()))
    return numbers, remarks


NODES = [FrechetVideoDistance]
