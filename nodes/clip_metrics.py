"""The node that looks at videos with CLIP."""

from comfy_api.latest import io

from ..host.files.weights_file import stamp
from ..host.metrics import clip_file as whole_clip
from ..host.metrics import clip_pair
from ..host.metrics.clip_scores import CONNECTED, check_prompts, measure, pair_of, series_of
from ..host.metrics.inputs import Progress, Videos, clips_input
from ..host.metrics.pictures import curves
from ..host.metrics.report import Measurement, report_output, table_input
from ..host.sockets import CATEGORY, TOLD_BY_THE_RUN

_CLIP_FILE = (
    "A file with both towers of CLIP, in models/clip_vision or models/text_encoders; or connect what core has loaded."
)
_ACTIVATION = (
    "Of the model in clip_file, which cannot tell it. auto: quick_gelu for B and L, as OpenAI's, gelu for H and bigG. "
    "LAION's B and L need gelu."
)
_PROMPTS = "The prompts, one per video in the videos' order, or one for all. Without them, alignment is not measured."
_CLIP = "From Load CLIP; a checkpoint's own CLIP has no projection and is refused."
_CLIP_VISION = "From Load CLIP Vision; of the same family as clip."
_ALIGNMENT_OUT = "Mean cosine of frames and prompt times 100; higher shows the prompt better."
_CLIP_TEMP_OUT = "Mean cosine of consecutive frames times 100; 100 is a still video."
_CONSISTENCY_OUT = "Mean cosine of all pairs of frames times 100; 100 is a still video."
_DIVERSITY_OUT = "Mean likeness of all pairs of videos times 100; lower is more diverse."
_CURVES_OUT = "Alignment and likeness to the next frame, frame by frame, a line per video."


class ClipVideoMetrics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_ClipVideoMetrics",
            display_name="CLIP Video Metrics",
            category=f"{CATEGORY}/metrics",
            description="Measures videos with CLIP: do the frames show the prompt, do they agree with each other, do "
                        "the videos differ.",
            search_aliases=["CLIP score", "alignment", "frame consistency", "CLIP-Temp", "diversity",
                            "evaluate video", "measure video", "评测视频"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                clips_input("videos", "A list of videos, or of image batches: one video each, all of one size."),
                io.Combo.Input("clip_file", options=[CONNECTED, *whole_clip.files()], tooltip=_CLIP_FILE),
                io.Combo.Input("activation", options=list(whole_clip.ACTIVATIONS), default="auto", advanced=True,
                               tooltip=_ACTIVATION),
                table_input("table"),
                io.String.Input("prompts", optional=True, force_input=True, tooltip=_PROMPTS),
                io.Clip.Input("clip", optional=True, tooltip=_CLIP),
                io.ClipVision.Input("clip_vision", optional=True, tooltip=_CLIP_VISION),
            ],
            outputs=[io.Float.Output(display_name="alignment", tooltip=_ALIGNMENT_OUT),
                     io.Float.Output(display_name="clip_temp", tooltip=_CLIP_TEMP_OUT),
                     io.Float.Output(display_name="consistency", tooltip=_CONSISTENCY_OUT),
                     io.Float.Output(display_name="diversity", tooltip=_DIVERSITY_OUT),
                     report_output(),
                     io.Image.Output(display_name="curves", tooltip=_CURVES_OUT)],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, clip_file=()) -> bool:
        return TOLD_BY_THE_RUN

    @classmethod
    def fingerprint_inputs(cls, clip_file, **_) -> str:
        return "" if clip_file[0] == CONNECTED else stamp(whole_clip.path_of(clip_file[0]))

    @classmethod
    def execute(
        cls, videos, clip_file, activation, table, prompts=(), clip=(None,), clip_vision=(None,)
    ) -> io.NodeOutput:
        clips = Videos(videos)
        prompts = check_prompts(list(prompts), len(clips))
        pair = pair_of(clip_file[0], activation[0], clip[0], clip_vision[0], bool(prompts))
        progress = Progress(len(clips))
        frames = []
        for video in clips:
            frames.append(pair.embed_images(video))
            progress.tick()
        words = {prompt: pair.embed_text(prompt) for prompt in dict.fromkeys(prompts)}
        numbers = measure(frames, [words[prompt] for prompt in prompts])
        cut = sum(map(clip_pair.is_cut, words))
        how = "preprocessing: 8 bit, short side bicubic, centre crop, as CLIP's own code; cosines in float64, times 100"
        cuts = f", {cut} of them cut after 77 tokens" if cut else ""
        asked = f"{len(words)} different ones, raw text{cuts}" if words else "none, so no alignment"
        lines = [pair.description, clips.describe(), how, f"prompts: {asked}"]
        found = Measurement(
            "CLIP video metrics",
            numbers,
            lines,
            str(len(clips)),
            series_of(frames, [words[prompt] for prompt in prompts]),
        )
        return found.output(table[0], curves(found.series))


NODES = [ClipVideoMetrics]
