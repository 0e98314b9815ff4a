"""What axe-core finds in the outputs of claude_nb on a page."""

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
    # The host colours links and does not underline them, in its own Markdown too.
    "link-in-text-block": {"enabled": False},
    # Off by default. The first one: an accessible name has the text that is seen.
    "label-content-name-mismatch": {"enabled": True},
    "target-size": {"enabled": True},
}

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


def check(page: Page, what: str) -> None:
    """Fail if elements of ours break a rule of axe-core; with each, the rule and the reason.

    Args:
        page: Where to look.
        what: What is to be seen there, for the message.
    """
    page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(FIND, [OURS, CODE, RULES])
    assert not found, "\n\n".join([what, *found])
