"""The node that compares two sets of videos."""

from comfy_api.latest import io

from ..host.metrics import video_features
from ..host.metrics.frechet import measure
from ..host.metrics.inputs import Progress, Videos, clips_input
from ..host.metrics.pictures import contact_sheet
from ..host.metrics.report import Measurement, report_output, table_input
from ..host.sockets import CATEGORY, TOLD_BY_THE_RUN, options
from ..metrics.i3d import LEAST_FRAMES
from ..metrics.i3d_input import CHOICES, CROPS, RESIZES, View

_NONE = "none"

_I3D = "I3D's weights in models/i3d: the RGB network of 400 classes, trained from scratch."
_FRAMES = "So many frames of every video are compared; 9 is the least I3D takes. The same in both sets, always."
_KEPT_REFERENCE = "Features kept by an earlier run, in place of reference videos."
_KEEP_REFERENCE_AS = "Name under which the reference's features are kept in output/video_features; empty: not at all."
_RESAMPLES = "Resamples of the bootstrap interval; 0 leaves it out."
_VIDEO_GROUPS = "Subject or prompt of each generated video, for a distance per group (sFVD, tFVD)."
_REFERENCE_GROUPS = "Subject or prompt of each reference video."
_RESIZE = (
    "How frames come to 224x224. original: as TensorFlow 1, with which published distances began. half-pixel centres: "
    "as PyTorch, shifted by half a pixel."
)
_FRAME_CHOICE = (
    "Which frames of longer videos: the first, or from the first to the last at equal distances, as TI2V-Zero's "
    "authors cut real videos."
)
_CROP = "Pictures that are not square: squeezed into one, as the original code does, or their middle."
_FVD_OUT = "The distance; 0 is equal. It depends on how many videos there are: see the report."
_GROUP_MEAN_OUT = "Mean of the groups' distances: sFVD or tFVD. NaN without groups."
_GROUP_SPREAD_OUT = "Standard deviation of the groups' distances. NaN without groups."
_PICTURE_OUT = "First frames of both sets, as they were measured."


class FrechetVideoDistance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FrechetVideoDistance",
            display_name="Fréchet Video Distance",
            category=f"{CATEGORY}/metrics",
            description="Compares a set of generated videos with a set of real ones (FVD), as a whole and per subject "
                        "or prompt (sFVD, tFVD).",
            search_aliases=["FVD", "sFVD", "tFVD", "I3D", "evaluate video", "评测视频"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                clips_input("videos", "The generated videos: a list of videos, or of image batches, all of one size."),
                io.Combo.Input("i3d", options=options(video_features.networks(), "I3D's weights into models/i3d"),
                               tooltip=_I3D),
                io.Int.Input("frames", default=16, min=LEAST_FRAMES, max=1024, tooltip=_FRAMES),
                io.Combo.Input("kept_reference", options=[_NONE, *video_features.kept_names()], default=_NONE,
                               tooltip=_KEPT_REFERENCE),
                io.String.Input("keep_reference_as", default="", advanced=True, tooltip=_KEEP_REFERENCE_AS),
                io.Int.Input("resamples", default=100, min=0, max=10000, advanced=True, tooltip=_RESAMPLES),
                table_input("table"),
                clips_input("reference", "The real videos; more and other ones than trained on.", optional=True),
                io.String.Input("video_groups", optional=True, force_input=True, tooltip=_VIDEO_GROUPS),
                io.String.Input("reference_groups", optional=True, force_input=True, tooltip=_REFERENCE_GROUPS),
                io.Combo.Input("resize", options=list(RESIZES), default=View.resize, optional=True, advanced=True,
                               tooltip=_RESIZE),
                io.Combo.Input("frame_choice", options=list(CHOICES), default=View.choice, optional=True, advanced=True,
                               tooltip=_FRAME_CHOICE),
                io.Combo.Input("crop", options=list(CROPS), default=View.crop, optional=True, advanced=True,
                               tooltip=_CROP),
            ],
            outputs=[io.Float.Output(display_name="fvd", tooltip=_FVD_OUT),
                     io.Float.Output(display_name="group_mean", tooltip=_GROUP_MEAN_OUT),
                     io.Float.Output(display_name="group_spread", tooltip=_GROUP_SPREAD_OUT),
                     report_output(),
                     io.Image.Output(display_name="picture", tooltip=_PICTURE_OUT)],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, i3d=()) -> bool:
        return TOLD_BY_THE_RUN

    @classmethod
    def fingerprint_inputs(cls, i3d, kept_reference, **_) -> str:
        return video_features.stamps(i3d[0], kept_reference[0])

    @classmethod
    def execute(
        cls, videos, i3d, frames, kept_reference, keep_reference_as, resamples, table, reference=(), video_groups=(),
        reference_groups=(), resize=(View.resize,), frame_choice=(View.choice,), crop=(View.crop,),
    ) -> io.NodeOutput:  # fmt: skip
        kept, resamples = kept_reference[0], resamples[0]
        view = View(frames[0], resize[0], frame_choice[0], crop[0])
        if (kept == _NONE) == (not reference):
            raise ValueError(
                "A distance needs one set to compare with: either connect reference videos, or choose kept features, "
                "not both."
            )
        generated = Videos(videos, view=view)
        real = Videos(list(reference), "reference videos", view=view) if reference else None
        network = video_features.load_network(i3d[0])
        progress = Progress(len(generated) + (len(real) if real else 0) + resamples)
        if real is None:
            b = video_features.restore(kept, network, view)
        else:
            b = video_features.features_of(real, list(reference_groups), network, view, progress)
        if keep_reference_as[0]:
            video_features.keep(keep_reference_as[0], b)
        a = video_features.features_of(generated, list(video_groups), network, view, progress)
        numbers, remarks = measure(a, b, resamples, progress)
        how = (
            f"{view.crop}, bilinear to 224x224 without antialiasing, {view.resize}; [-1, 1], logits averaged over "
            "time; float64, divisor n - 1"
        )
        lines = [*remarks, network.description, a.description, b.description, how]
        found = Measurement("Fréchet video distance", numbers, lines, f"{len(a.features)} / {len(b.features)}")
        sheet = {"generated": generated.first_frames(), **({"reference": real.first_frames()} if real else {})}
        return found.output(table[0], contact_sheet(sheet), shown=("fvd", "group_mean", "group_spread"))


NODES = [FrechetVideoDistance]
