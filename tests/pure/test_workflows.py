"""The shipped workflows as files: both forms tell the same graph, and the browser's form is sound and legible."""

import ast
from itertools import combinations

import pytest
from workflow_forms import ROOT, api_form, browser_form, real_nodes, role

from dev import layout, node_kinds, workflow_graph, workflows

TITLES = {  # which other code looks nodes up by
    "train_motion_lamp": ["Checkpoint", "Clips", "Captions", "Train", "Save adapter"],
    "text_to_video_lamp": ["Checkpoint", "Motion adapter", "Prompt", "Negative prompt", "First frame sampler", "Noise",
                           "Sampler", "Save video"],
    "animate_image_lamp": ["Checkpoint", "Motion adapter", "Prompt", "Negative prompt", "First frame", "Noise",
                           "Sampler", "Save video"],
    "sdxl_first_frame_lamp": ["First-frame checkpoint", "Checkpoint", "Motion adapter", "Prompt", "Negative prompt",
                              "Noise", "Sampler",
                              "Save video"],
    "edit_video_lamp": ["Checkpoint", "Video", "Frames", "Caption", "Prompt", "Empty prompt", "Train", "Inversion",
                        "ControlNet", "Edges",
                        "First frame sampler", "Sampler", "Save video"],
    "edit_video_tune_a_video": ["Checkpoint", "Video", "Frames", "Caption", "Prompt", "Empty prompt", "Train",
                                "Inversion", "Sampler", "Save video"],
    **{
        name: ["Checkpoint", "Motion's LoRA", "Motion adapter", "Prompt", "Negative prompt", *given, "Sampler",
               "Save video"]
        for name, given in {
            "image_to_video_ti2v_zero": ["First frame", "Scale"], "long_video_ti2v_zero": ["First frame", "Scale"],
            "predict_video_ti2v_zero": ["Clip", "Known frames", "Scale"],
            "infill_video_ti2v_zero": ["First picture", "Scale first picture", "Last picture", "Scale last picture"],
        }.items()
    },
    "text_to_video_zero": ["Checkpoint", "Motion", "Prompt", "Negative prompt", "Size", "Sampler", "Save video"],
    "train_motion_masks": ["Checkpoint", "Clips", "Captions", "Masks", "Train", "Save adapter"],
    "masks_from_background_removal": ["Checkpoint", "Clips", "Captions", "Background model", "Train", "Save adapter"],
    "animate_over_background": ["Checkpoint", "Motion adapter", "Prompt", "First frame", "Background", "Scale",
                                "Scale background",
                                "As many frames", "Noise", "Sampler", "Save video"],
    "measure_clip": ["Videos", "Optical flow", "CLIP", "Flicker", "First frame"],
    "measure_fvd": ["Generated", "Real", "Distance"],
    "compare_adapters": ["Checkpoint", "Motion adapter", "Other motion adapter", "Words", "First frame sampler",
                         "Noise", "Sampler", "Decode",
                         "Save video", "Numbers", "Flicker", "First-frame jump"],
    "animate_part_lamp": ["Checkpoint", "Motion adapter", "Prompt", "First frame", "Scale", "Scale mask", "What moves",
                          "Noise", "Sampler", "Save video"],
    "animate_then_refine_lamp": ["Checkpoint", "Motion adapter", "Prompt", "First frame", "Scale", "Noise", "Sampler",
                                 "Scale first frame", "Scale clip", "Refine", "Save video"],
    "animate_image_few_steps_lamp": ["Checkpoint", "LCM LoRA", "Motion adapter", "Prompt", "First frame", "Noise",
                                     "Sampler", "Save video"],
    "image_to_video_few_steps_ti2v_zero": ["Checkpoint", "LCM LoRA", "Motion adapter", "Prompt", "First frame",
                                           "Sampler", "Save video"],
    "animate_image_as_released_lamp": ["Checkpoint", "Motion adapter", "Prompt", "First frame", "Noise", "Sampler",
                                       "Match pictures", "Save video"],
    "text_to_video_as_released_recurrent": ["Checkpoint", "Motion adapter", "Prompt", "Length and size", "Noise",
                                            "Steps", "Guidance", "Solver", "Match late frames", "Sampler",
                                            "Save video"],
    "animate_between_pictures_lamp": ["Checkpoint", "Motion adapter", "Prompt", "First picture", "Scale first picture",
                                      "Last picture", "Scale last picture", "Noise", "Sampler", "Save video"],
    "loop_image_lamp": ["Checkpoint", "Motion adapter", "Prompt", "First frame", "Scale", "Noise", "Sampler",
                        "Save video"],
    "text_to_video_zero_as_released": ["Checkpoint", "Motion", "Prompt", "Size", "Sampler", "Save video"],
    "text_to_video_recurrent": ["Checkpoint", "Motion adapter", "Prompt", "Negative prompt", "Length and size", "Noise",
                                "Steps", "Guidance",
                                "Sampler", "Save video"],
}  # fmt: skip
NAMES = workflows.names()
FORMS = [(name, small) for name in NAMES for small in (False, True)]
TITLE_HEIGHT = 30  # above a node's position


def widgets(node: dict) -> dict:
    """Widget name -> value, without what the browser keeps for itself."""
    values, found = list(node["widgets_values"]), {}
    for name in node_kinds.KINDS[node["type"]].widgets:
        found[name] = values.pop(0)
        if name in workflow_graph.SEEDS:
            assert values.pop(0) in ("fixed", "randomize")
    assert values == (["image"] if node["type"] in workflow_graph.UPLOADS else [])
    return found


def graph_of_browser(form: dict) -> dict:
    """Node id -> type, title, inputs as the API form has them."""
    sources = {link[0]: [str(link[1]), link[2]] for link in form["links"]}
    graph = {}
    for node in real_nodes(form):
        linked = {socket["name"]: sources[socket["link"]] for socket in node["inputs"] if socket["link"] is not None}
        graph[str(node["id"])] = {
            "class_type": node["type"],
            "inputs": {**widgets(node), **linked},
            "_meta": {"title": role(node)},
        }
    return graph


def overlap(a: list[int], b: list[int]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def contains(outer: list[int], inner: list[int]) -> bool:
    return all(outer[i] <= inner[i] and inner[i] + inner[i + 2] <= outer[i] + outer[i + 2] for i in (0, 1))


def box(node: dict) -> list[int]:
    (x, y), (width, height) = node["pos"], node["size"]
    return [x, y - TITLE_HEIGHT, width, height + TITLE_HEIGHT]


def test_every_workflow_has_both_forms():
    templates = [workflows.template(name) for name in NAMES]
    assert set(NAMES) == set(TITLES)
    assert sorted(path.stem for path in (ROOT / "workflows").glob("*.json")) == templates, "which the page sorts by"
    assert sorted(path.stem for path in (ROOT / "workflows").glob("*.jpg")) == templates, "what the page shows of each"
    assert sorted(path.stem for path in (ROOT / "workflows" / "api").glob("*.json")) == sorted(NAMES)


def test_what_wants_no_training_comes_first():
    assert NAMES[:2] == ["text_to_video_zero", "image_to_video_ti2v_zero"]


def test_files_are_as_described():
    changed = [
        name
        for name, text in workflows.files().items()
        if (ROOT / "workflows" / name).read_text(encoding="utf-8") != text
    ]
    assert changed == [], "write them anew: python3 dev workflows"


@pytest.mark.parametrize("name", NAMES)
def test_both_forms_are_one_graph(name):
    assert graph_of_browser(browser_form(name)) == api_form(name)


@pytest.mark.parametrize("name", NAMES)
def test_links_join_what_they_say(name):
    form = browser_form(name)
    nodes = {node["id"]: node for node in form["nodes"]}
    taken, given = {}, {}
    for link, source, slot, target, socket, kind in form["links"]:
        out, into = nodes[source]["outputs"][slot], nodes[target]["inputs"][socket]
        assert into["link"] == link and link in out["links"]
        assert kind == out["type"]
        alike = node_kinds.ALIKE in (kind, into["type"])
        assert alike or "*" in into["type"] or kind in into["type"].split(",")
        assert nodes[source]["order"] < nodes[target]["order"]
        taken[target, socket] = given[link] = link
    ends = [socket["link"] for node in nodes.values() for socket in node["inputs"] if socket["link"] is not None]
    starts = [link for node in nodes.values() for output in node["outputs"] for link in output["links"] or []]
    assert len(taken) == len(form["links"]) and sorted(ends) == sorted(starts) == sorted(given)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique(name):
    form = browser_form(name)
    for ids, last in (
        ([node["id"] for node in form["nodes"]], "last_node_id"),
        ([link[0] for link in form["links"]], "last_link_id"),
    ):
        assert len(set(ids)) == len(ids) and max(ids) == form[last]
    assert sorted(node["order"] for node in form["nodes"]) == list(range(len(form["nodes"])))
    titles = [node["title"] for node in real_nodes(form)]
    assert not any("None" in title for title in titles), "core gives some of its nodes no name but their type's"
    assert len(set(titles)) == len(titles)
    assert len({browser_form(other)["id"] for other in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_only_core_nodes_and_ours(name):
    ours = {
        keyword.value.value
        for path in (ROOT / "nodes").glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "node_id"
    }
    for node in real_nodes(browser_form(name)):
        assert node["properties"]["Node name for S&R"] == node["type"]
        assert node["properties"]["cnr_id"] == ("few-shot-motion" if node["type"] in ours else "comfy-core")
        assert node["type"] in ours or not node["type"].startswith("FSM_")


@pytest.mark.parametrize("name", NAMES)
def test_titles_other_code_relies_on(name):
    titles = {node["_meta"]["title"] for node in api_form(name).values()}
    assert set(TITLES[name]) <= titles


@pytest.mark.parametrize("name, small", FORMS)
def test_nothing_overlaps(name, small):
    """By the sizes that the page was measured to draw; the tier page looks at the page itself."""
    form = workflows.graph(name, small).browser_form()
    nodes = {node["title"]: box(node) for node in form["nodes"]}
    groups = {group["title"]: group["bounding"] for group in form["groups"]}
    for boxes in (nodes, groups):
        assert [(a, b) for a, b in combinations(boxes, 2) if overlap(boxes[a], boxes[b])] == []
    for node in real_nodes(form):
        assert sum(contains(group, nodes[node["title"]]) for group in groups.values()) == 1, node["title"]


@pytest.mark.parametrize("name", NAMES)
def test_every_node_has_a_measured_size(name):
    for node in real_nodes(browser_form(name)):
        assert node["size"][1] >= layout.SIZES[node["type"]]["height"], node["type"]


@pytest.mark.parametrize("name", NAMES)
def test_nodes_run_from_left_to_right(name):
    """Within a row: a link never leads back to a column further left."""
    form = browser_form(name)
    nodes = {node["id"]: node for node in form["nodes"]}
    for _, source, _, target, *_ in form["links"]:
        lower_row = nodes[target]["pos"][1] >= nodes[source]["pos"][1] + nodes[source]["size"][1]
        assert lower_row or nodes[source]["pos"][0] <= nodes[target]["pos"][0], (
            nodes[source]["title"],
            nodes[target]["title"],
        )
