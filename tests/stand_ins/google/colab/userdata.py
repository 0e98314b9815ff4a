"""As ``google.colab.userdata``; a test sets what the user has in the secrets.

``secrets`` has the payload of each, None for one that this notebook may not have. ``page`` is false
where no page answers, and ``asked`` has the names that were asked for.
"""

from google.colab import errors

secrets = {}
page = True
asked = []


class NotebookAccessError(Exception):
    """The notebook has no access to the secret."""

    def __init__(self, key) -> None:
        super().__init__(f"Notebook does not have access to secret {key}")


class SecretNotFoundError(errors.Error):
    """There is no such secret."""

    def __init__(self, key) -> None:
        super().__init__(f"Secret {key} does not exist.")


class TimeoutException(errors.Error):
    """No page has answered within ten seconds."""

    def __init__(self, key) -> None:
        super().__init__(f"Requesting secret {key} timed out.")


def get(key):
    """The secret of that name."""
    asked.append(key)
    if not page:
        raise TimeoutException(key)
    if key not in secrets:
        raise SecretNotFoundError(key)
    if secrets[key] is None:
        raise NotebookAccessError(key)
    return secrets[key]
