"""What is out of its place on the page, as it draws it."""

from itertools import combinations

from dev import browser

SLACK = 1.0  # px: boxes come from a page drawn at another scale


def overlap(a: list[float], b: list[float]) -> bool:
    return all(a[i] + SLACK < b[i] + b[i + 2] and b[i] + SLACK < a[i] + a[i + 2] for i in (0, 1))


def within(outer: list[float], inner: list[float]) -> bool:
    return all(
        outer[i] <= inner[i] + SLACK and inner[i] + inner[i + 2] <= outer[i] + outer[i + 2] + SLACK for i in (0, 1)
    )


def faults(page: browser.Page) -> list[str]:
    """Sentences about what is out of its place, as the page draws it."""
    page.fit()
    nodes, groups = page.nodes(), page.groups()
    found = [f"{node['title']} is unknown" for node in nodes if not node["known"]]
    found += [
        f"{a['title']} and {b['title']} overlap" for a, b in combinations(nodes, 2) if overlap(a["box"], b["box"])
    ]
    return found + [
        f"{node['title']} is not within a group"
        for node in nodes
        if node["type"] != "MarkdownNote" and not any(within(group, node["box"]) for group in groups.values())
    ]
