"""Every page and dialog, wide and light as on a desk, narrow and dark as on a phone: it fits, and everybody
can read it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.dialogs import PLACES

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
AXE = Axe()
SIDEWAYS = """() => {
    const right = (part) => part.getBoundingClientRect().right;
    return [document.documentElement, ...document.querySelectorAll("dialog:modal, :popover-open")]
        .filter((box) => box.scrollWidth > box.clientWidth)
        .map((box) => [...box.querySelectorAll("*")].findLast((part) => right(part) > right(box))?.outerHTML);
}"""
"""Of each box that scrolls sideways, the innermost part that sticks out last."""


def problems(page: Page) -> Iterator[tuple[str, str]]:
    for part in page.evaluate(SIDEWAYS):
        yield "sticks out", part
    for violation in AXE.run(page, options=RULES).response["violations"]:
        yield violation["id"], violation["nodes"][0]["html"]


@pytest.mark.parametrize("group", PLACES)
def test_pages_fit_and_can_be_read_by_everybody(desk: Page, group: str) -> None:
    found = []
    for open_it in PLACES[group]:
        for width, scheme in ((1440, "light"), (390, "dark")):
            desk.set_viewport_size({"width": width, "height": 1000})
            desk.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            if width == 1440:
                open_it(desk)
            found += [(open_it.__name__, width, *problem) for problem in problems(desk)]
    assert found == []
