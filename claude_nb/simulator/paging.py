"""Lists that the API gives page by page: models and batches."""

from typing import Any

from claude_nb.simulator.refusals import RefusalError, invalid

LARGEST = 1000
"""Items of a page at most."""


def page(
    ids: list[str], limit: int = 20, after_id: str | None = None, before_id: str | None = None
) -> dict[str, Any]:
    """Return a page as the API gives it, with ids for its data.

    Args:
        ids: The ids of all items.
        limit: The most items on the page, 1 to 1000.
        after_id: The item before the page's first. An unknown one is ignored.
        before_id: The item after the page's last, instead. An unknown one is ignored.

    Raises:
        RefusalError: The limit is not in its range.
    """
    if not 1 <= limit <= LARGEST:
        raise RefusalError(invalid(f"limit: Input should be from 1 to {LARGEST}"))
    if before_id in ids:
        end = ids.index(before_id)
        start = max(0, end - limit)
        more = start > 0
    else:
        start = ids.index(after_id) + 1 if after_id in ids else 0
        end = start + limit
        more = end < len(ids)
    shown = ids[start:end]
    first, last = (shown[0], shown[-1]) if shown else (None, None)
    return {"data": shown, "has_more": more, "first_id": first, "last_id": last}
