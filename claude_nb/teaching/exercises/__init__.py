"""The exercises, by name: the modules list those of a topic each."""

from claude_nb.teaching.exercises import chat, streaming
from claude_nb.teaching.exercises.exercise import Exercise

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for topic in (streaming, chat) for exercise in topic.EXERCISES
}
