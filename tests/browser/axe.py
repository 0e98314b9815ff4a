"""What a page's readers could not read or use of our outputs: axe-core's rules, and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page

OURS = (
    ".claude-nb",
    ".claude-nb-widget",
    ".claude-nb-error",
    ".claude-nb-difference",
    ".jp-OutputArea-output table:not(.dataframe)",
)
"""What is looked at: our outputs, widgets and buttons, and the tables that commands show."""

CODE = "pre > code *"
"""What is left out: the words of code have the host's colours, as in its own cells."""

RULES = {
    # Measured below: axe-core passes over what JupyterLab scrolls and what is dimmed in it.
    "color-contrast": {"enabled": False},
    # The host colours links and does not underline them, in its own Markdown too.
    "link-in-text-block": {"enabled": False},
    # Off by default. The first one: an accessible name has the text that is seen.
    "label-content-name-mismatch": {"enabled": True},
    "target-size": {"enabled": True},
}

LEAST = 4.5
"""The contrast that WCAG 2.2 (AA) asks for."""

FIND = """async ([ours, code, rules]) => {
    // JupyterLab's body has no height, and what is outside of it counts as not to be seen.
    document.body.style.height = "100vh";
    const include = ours.filter((each) => document.querySelector(each));
    const options = { resultTypes: ["violations"], rules };
    const { violations } = await axe.run({ include, exclude: [code] }, options);
    return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html}\\n${failureSummary}`),
    );
}"""

MEASURE = """([ours, code]) => {
    const parse = (text) => {
        const [r, g, b, alpha = 1] = text.match(/[\\d.]+(e-\\d+)?/g).map(Number);
        const scale = text.startsWith("color") ? 255 : 1;
        return { rgb: [r, g, b].map((each) => each * scale), alpha };
    };
    const mix = (below, above, share) => below.map((each, i) => each + (above[i] - each) * share);
    // What is seen of a text and of what is behind it, below the elements of `path`.
    const seen = ([element, ...rest], below, color) => {
        const { backgroundColor, opacity } = getComputedStyle(element);
        const { rgb, alpha } = parse(backgroundColor);
        const back = mix(below, rgb, alpha);
        const own = () => [mix(back, color.rgb, color.alpha), back];
        const both = rest.length ? seen(rest, back, color) : own();
        return both.map((each) => mix(below, each, Number(opacity)));
    };
    const luminance = (rgb) => {
        const linear = rgb.map((each) => {
            const c = each / 255;
            return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const contrast = (element, pseudo) => {
        const path = [];
        for (let each = element; each; each = each.parentElement) path.unshift(each);
        const color = parse(getComputedStyle(element, pseudo).color);
        const [low, high] = seen(path, [255, 255, 255], color).map(luminance).sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const found = new Map();
    for (const root of document.querySelectorAll(ours)) {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const { data, parentNode } = texts.currentNode;
            if (data.trim()) found.set(parentNode, null);
        }
        for (const each of root.querySelectorAll("select")) found.set(each, null);
        for (const each of root.querySelectorAll("[placeholder]")) found.set(each, "::placeholder");
    }
    return [...found]
        .filter(([each]) => !each.matches(code) && !each.closest(":disabled"))
        .filter(([each]) => each.getClientRects().length)
        .filter(([each]) => each.checkVisibility({ visibilityProperty: true }))
        .map(([each, pseudo]) => [contrast(each, pseudo), each.outerHTML.slice(0, 200)]);
}"""


def check(page: Page, what: str, *, texts: int) -> None:
    """Fail if elements of ours break a rule; with each, the rule and the reason.

    Args:
        page: Where to look.
        what: What is to be seen there, for the message.
        texts: How many elements with a text there are, at least.
    """
    page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(FIND, [OURS, CODE, RULES])
    measured: list[tuple[float, str]] = page.evaluate(MEASURE, [",".join(OURS), CODE])
    assert len(measured) >= texts
    found += [f"contrast {ratio:.2f}: {html}" for ratio, html in measured if ratio < LEAST]
    assert not found, "\n\n".join([what, *found])
