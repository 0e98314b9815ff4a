"""What the tests of batches share: a batch submitted, and what the service got and had to say."""

from __future__ import annotations

import claude_nb
from claude_nb.client.retry import Policy

HAIKU = "claude-haiku-5-5"
AT_ONCE = Policy(base=0.0)
DAY = 24 * 3600.0


def handed_in(prompts: object, template: str | None = None, **options: object):
    """A batch on its way, without a view."""
    options = {"model": HAIKU, "policy": AT_ONCE, "show": False, **options}
    return claude_nb.batch(prompts, template, **options)


def sent(service):
    """The requests of the newest batch, as they were sent."""
    bodies = [r.body for r in service.requests if r.path == "/v1/messages/batches" and r.body]
    return bodies[-1]["requests"]


def texts(batch):
    """The text of each row, in order."""
    return [result.text for result in batch.results]


def batches_of(service):
    """How often a batch was submitted."""
    return sum(r.path == "/v1/messages/batches" and r.method == "POST" for r in service.requests)
