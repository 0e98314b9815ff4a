"""The exercises, by name: the modules list those of a topic each."""

from claude_nb.teaching.exercises import chat, choosing, failures, latency, requests, streaming
from claude_nb.teaching.exercises.exercise import Exercise

_TOPICS = (streaming, latency, failures, choosing, requests, chat)

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for topic in _TOPICS for exercise in topic.EXERCISES
}
