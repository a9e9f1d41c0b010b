"""The node that loads a folder of clips with their captions."""

from comfy_api.latest import InputImpl, io

from ..host.files.clips import clip_folders, clips_in
from ..host.files.weights_file import stamp
from ..host.sockets import CATEGORY, TOLD_BY_THE_RUN, options


class LoadClips(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_LoadClips",
            display_name="Load Clips from Folder",
            category=f"{CATEGORY}/loaders",
            description="Loads the videos of a folder as a list, each with its caption: training clips for Train "
                        "Motion "
                        "LoRA, or videos to measure.",
            search_aliases=["load videos", "video folder", "dataset", "training clips", "captions", "数据集"],
            inputs=[
                io.Combo.Input("folder", options=options(clip_folders(), "a folder of videos into input"),
                               tooltip="A folder with videos in ComfyUI's input folder; its subfolders are listed by "
                                       "themselves. Press R to refresh the list."),
                io.String.Input("caption", default="", optional=True,
                                tooltip="What is said of videos that have no .txt file of their name beside them. "
                                        "Neutral: empty."),
            ],
            outputs=[
                io.Video.Output(display_name="clips", is_output_list=True,
                                tooltip="The videos in the order of their names; frames are read where they are used."),
                io.String.Output(display_name="captions", is_output_list=True,
                                 tooltip="One caption per video, in the same order."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, folder: str = "") -> bool:
        return TOLD_BY_THE_RUN

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **_) -> str:
        try:
            return " ".join(f"{stamp(video)} {caption}" for video, caption in clips_in(folder))
        except ValueError as error:  # said when the node runs
            return str(error)

    @classmethod
    def execute(cls, folder: str, caption: str = "") -> io.NodeOutput:
        found = clips_in(folder)
        videos = [InputImpl.VideoFromFile(str(video)) for video, _ in found]
        return io.NodeOutput(videos, [caption if said is None else said for _, said in found])


NODES = [LoadClips]
