"""Our nodes are found by the words that users type, in the page's own search."""

import pytest

from dev import browser

WORDS = ("few-shot", "last frame", "first last frame", "extend video", "loop", "vid2vid", "img2vid", "gif", "图生视频",
         "首尾帧", "循环", "闪烁")  # fmt: skip
METRICS = "few-shot motion/metrics"


@pytest.fixture(scope="module")
def page(site):
    with browser.opened(site.client.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def ours(site):
    """What the page calls each of our nodes -> its category."""
    types = site.client.object_info()
    return {info["display_name"]: info["category"] for name, info in types.items() if name.startswith("FSM_")}


@pytest.mark.parametrize("words", WORDS)
def test_words_of_users_find_one_of_ours(page, ours, words):
    assert set(page.search(words)) & set(ours), "none of ours"


def test_image_to_video_finds_a_sampler_before_any_metric(page, ours):
    found = [ours[name] for name in page.search("image to video") if name in ours]
    assert found and METRICS not in found[:1]
    assert METRICS not in found or found.index("few-shot motion/sampling") < found.index(METRICS)


def test_categories_lie_under_one_root(ours):
    assert {category.split("/")[0] for category in ours.values()} == {"few-shot motion"}
    assert {category.split("/")[1] for category in ours.values()} == {
        "loaders", "training", "sampling", "noise", "metrics"
    }  # fmt: skip
