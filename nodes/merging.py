"""The node that makes one motion of several, or a smaller file of one."""

from comfy_api.latest import io

from ..host.said import say
from ..host.sockets import CATEGORY, Adapter
from ..motion_modules.merging import merge

_RANK = "Thin matrices of this rank in the result; 0 whole ones; -1 as in the first motion."
_WEIGHT = "How much this motion counts; the weights are shares of their sum."


class MergeMotionAdapters(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_MergeMotionAdapters",
            display_name="Merge Motion Adapters",
            category=f"{CATEGORY}/training",
            description="The mean of up to four motions of one kind, steps of one run say, as one; or one motion in "
                        "another rank.",
            search_aliases=["merge motion", "average checkpoints", "resize rank", "SVD", "smaller adapter"],
            inputs=[
                Adapter.Input("adapter", tooltip="From Load Motion Adapter or Train Motion LoRA."),
                io.Float.Input("weight", default=1.0, min=0.0, max=100.0, step=0.05, tooltip=_WEIGHT),
                io.Int.Input("rank", default=-1, min=-1, max=512, tooltip=_RANK),
                Adapter.Input("adapter_2", optional=True, tooltip="A second motion of the same kind."),
                io.Float.Input("weight_2", default=1.0, min=0.0, max=100.0, step=0.05, optional=True, tooltip=_WEIGHT),
                Adapter.Input("adapter_3", optional=True, tooltip="A third motion of the same kind."),
                io.Float.Input("weight_3", default=1.0, min=0.0, max=100.0, step=0.05, optional=True, tooltip=_WEIGHT),
                Adapter.Input("adapter_4", optional=True, tooltip="A fourth motion of the same kind."),
                io.Float.Input("weight_4", default=1.0, min=0.0, max=100.0, step=0.05, optional=True, tooltip=_WEIGHT),
            ],
            outputs=[Adapter.Output(display_name="adapter", tooltip="One motion, to apply or to save.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, adapter, weight: float, rank: int, adapter_2=None, weight_2: float = 1.0, adapter_3=None,
        weight_3: float = 1.0, adapter_4=None, weight_4: float = 1.0,
    ) -> io.NodeOutput:  # fmt: skip
        pairs = [(adapter, weight), (adapter_2, weight_2), (adapter_3, weight_3), (adapter_4, weight_4)]
        given = [pair for pair in pairs if pair[0] is not None]
        merged, errors = merge(*zip(*given, strict=True), adapter.rank if rank < 0 else rank)
        text = merged.describe()
        if errors:
            text += f"; matrices off by {sum(errors) / len(errors):.1%} in the mean, {max(errors):.1%} at most"
        return io.NodeOutput(merged, ui=say(text))


NODES = [MergeMotionAdapters]
