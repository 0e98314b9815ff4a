"""The API key in Colab's secrets: asked for where nothing else names one, and only once.

Colab's ``google.colab.userdata.get`` waits up to ten seconds for its page, which may ask the user
whether the notebook may have the secret.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from claude_nb.errors import CredentialsError
from claude_nb.redaction import remember
from claude_nb.request.host import host

NAME: Final = "ANTHROPIC_API_KEY"
"""The name of the secret."""

WHERE: Final = "Colab's secrets (the key symbol at the left)"

ENTER_KEY: Final = (
    f"Add a key to {WHERE} as {NAME}, with access for this notebook; or type %claude_nb key to"
    " enter one (it is kept in memory only). To try it without a key: %claude_nb simulate on"
)

_ASK_AGAIN: Final = (
    f'import os, google.colab.userdata as secrets; os.environ["{NAME}"] = secrets.get("{NAME}")'
)
_NAMED: Final = (
    *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"),
    *("ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID"),
)
"""The variables by which the SDK finds a key or what takes its place."""


class Secret:
    """The secret of this notebook.

    Attributes:
        key: The key, once it was asked for; empty before, and where there is none.
    """

    def __init__(self) -> None:
        self.key = ""
        self._error: tuple[str, str] | None = None
        self._lock = threading.Lock()

    def get(self) -> str | None:
        """The key, if this is Colab and the environment names none; else, or without it, None.

        Raises:
            CredentialsError: The notebook has no access to it, or Colab did not answer.
        """
        if host() != "colab" or any(map(os.environ.get, _NAMED)):
            return None
        with self._lock:
            if not self.key and self._error is None:
                self._ask()
            if self._error is not None:
                raise CredentialsError(*self._error)
            return self.key or None

    def _ask(self) -> None:
        from google.colab import userdata

        try:
            self.key = str(userdata.get(NAME) or "").strip()
        except userdata.SecretNotFoundError:
            return  # it may be added, and Colab asks nobody
        except userdata.NotebookAccessError:
            advice = f"Switch on its notebook access in {WHERE}, and run: {_ASK_AGAIN}"
            self._error = f"This notebook has no access to the secret {NAME}.", advice
        except Exception as error:  # noqa: BLE001 - that of a page that is not there, or Colab's own
            what = f"The secret {NAME} cannot be read: {type(error).__name__}."
            self._error = what, "Type %claude_nb key to enter a key (it is kept in memory only)."
        remember(self.key)


secret = Secret()
"""The secret of this process."""
