"""Kept answers: what was answered before is shown again, and nothing is sent."""
