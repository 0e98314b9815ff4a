"""What a stream is made of: its events, and the message that they make."""
