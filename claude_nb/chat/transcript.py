"""Which turns a chat shows: its conversation's current branch, up to what is being answered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from claude_nb.chat.turns import Turn
from claude_nb.conversation import export, saved_notebook
from claude_nb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from claude_nb.asking.conversation import Conversation
    from claude_nb.conversation.history import Exchange

    At = tuple[int, int]  # which of how many versions, from 1


class Transcript:
    """The turns of a chat, and what they have cost.

    Args:
        conversation: What it goes on with; cells and other chats may go on with it too.

    Attributes:
        conversation: The same.
        lock: Under it all that the parts of a chat keep is changed; traits are set outside of it.
        current: The turn that is being answered, or None.
        spent: What the replies have cost together, in USD, as far as that is known.
        unknown_cost: Whether there is more that is not known.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.lock = threading.RLock()
        self.current: Turn | None = None
        self.spent = 0.0
        self.unknown_cost = False
        self._known: dict[str, Turn] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._failed: Turn | None = None
        self._failed_at: Exchange | None = None  # the head of the conversation at that moment

    @property
    def after(self) -> Exchange | None:
        """What the next question follows: the last that is shown."""
        return self._failed.after if self._failed else self.conversation.head

    def shown(self) -> list[tuple[Turn, At]]:
        """The current branch, up to what is being answered or has failed."""
        with self.lock:
            conversation = self.conversation
            siblings: dict[str, list[Exchange]] = {}
            for exchange in conversation.exchanges:
                siblings.setdefault(_parent(exchange), []).append(exchange)
            extra = self.current or self._failed
            branch = conversation.branch
            if extra is not None and any(exchange.id == extra.id for exchange in branch):
                extra = None
            if extra is not None:
                branch = extra.after.branch if extra.after else []
            found = []
            for exchange in branch:
                turn = self._known.get(exchange.id)
                if turn is None:
                    turn = Turn.of(exchange, self._records.get(exchange.id))
                    self._known[exchange.id] = turn
                same = siblings[_parent(exchange)]
                found.append((turn, (same.index(exchange) + 1, len(same))))
            if extra is not None:
                count = len(siblings.get(extra.after.id if extra.after else "", [])) + 1
                found.append((extra, (count, count)))
            return found

    def turn(self, key: object) -> Turn:
        """The turn that is shown under this key.

        Raises:
            InputError: There is none.
        """
        with self.lock:
            for turn, _ in self.shown():
                if turn.key == key:
                    return turn
        raise InputError("That message is not there any more.")

    def records(self) -> list[dict[str, Any]]:
        """What is saved of every reply, on all branches."""
        with self.lock:
            name = self.conversation.name
            found = []
            for exchange in self.conversation.exchanges:
                turn = self._known.get(exchange.id)
                own = turn.record if turn else self._records.get(exchange.id)
                found.append(own or export.record(exchange, name, exchange.place.cell))
            if self._failed is not None and self._failed.record is not None:
                found.append(self._failed.record)
            return found

    # One question at a time.

    def check_idle(self) -> None:
        """See that nothing is being answered.

        Raises:
            InputError: Something is.
        """
        if self.current is not None:
            raise InputError("Claude is still answering.", "Wait for the end, or press Stop.")

    def put(self, turn: Turn) -> None:
        """Show a question, as the one that is being answered.

        Raises:
            InputError: Another one is.
        """
        with self.lock:
            self.check_idle()
            self.current = turn
            self._failed = None

    def sent(self, turn: Turn, id_: str) -> None:
        """The question has been sent, under its name in the conversation."""
        with self.lock:
            turn.id = id_
            self._known[id_] = turn

    def take_back(self) -> None:
        """The question cannot be sent."""
        with self.lock:
            self.current = None

    def end(self, turn: Turn, cost: float | None) -> None:
        """The answer has ended; one that the conversation does not keep has failed."""
        with self.lock:
            self.current = None
            if all(exchange.id != turn.id for exchange in self.conversation.exchanges):
                self._known.pop(turn.id, None)
                self._failed, self._failed_at = turn, self.conversation.head
            self._charge(cost)

    def _charge(self, usd: float | None) -> None:
        self.unknown_cost = self.unknown_cost or usd is None
        self.spent += usd or 0.0

    # Where the conversation goes on.

    def follow(self) -> None:
        """The conversation has changed: here, in a cell or in another chat."""
        with self.lock:
            if self.conversation.head is not self._failed_at:
                self._failed = None  # it went on from elsewhere

    def clear(self) -> None:
        """Begin anew; what was said stays in the conversation.

        Raises:
            InputError: An answer is under way.
        """
        with self.lock:
            self.check_idle()
            self._failed = None
        self.conversation.new()

    def bring_back(self) -> None:
        """Go to the newest of all that was said.

        Raises:
            InputError: An answer is under way.
        """
        with self.lock:
            self.check_idle()
        if self.conversation.exchanges:
            self.conversation.go_to(self.conversation.exchanges[-1])

    def pick(self, key: object, by: int) -> None:
        """Go to the branch on which a question was put, or answered, in another way.

        Args:
            key: The turn's.
            by: -1 for the version before, 1 for the one after; beyond the ends nothing changes.

        Raises:
            InputError: An answer is under way, or there is no such turn.
        """
        with self.lock:
            self.check_idle()
            turn = self.turn(key)
            exchanges = self.conversation.exchanges
            ids = [e.id for e in exchanges if e.parent is turn.after]
            at = ids.index(turn.id) if turn.id in ids else len(ids)
            wanted = at + by
            if not 0 <= wanted < len(ids):
                return
            found = next(e for e in exchanges if e.id == ids[wanted])
            self._failed = None
        self.conversation.go_to(_newest_below(found, exchanges))

    def take_over(self, records: Iterable[saved_notebook.Record]) -> None:
        """Keep what was saved of replies, for the next time that they are saved."""
        with self.lock:
            for record in records:
                turn = record.data.get("turn")
                spent = saved_notebook.spent(record)
                if not isinstance(turn, dict) or not isinstance(turn.get("id"), str):
                    continue
                if turn.get("conversation") != self.conversation.name:
                    continue
                if turn["id"] in self._records:  # another output of the same chat
                    continue
                self._records[turn["id"]] = record.data
                if spent is not None:
                    self._charge(spent.cost)
            self._known.clear()


def _parent(exchange: Exchange) -> str:
    return exchange.parent.id if exchange.parent else ""


def _newest_below(exchange: Exchange, exchanges: Sequence[Exchange]) -> Exchange:
    """The end of the branch that goes on from an exchange with the newest of what follows."""
    end = exchange
    while following := [other for other in exchanges if other.parent is end]:
        end = following[-1]
    return end
