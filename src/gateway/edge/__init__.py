"""Where HTTP ends: who asks, with what, and how an answer goes back; nothing here knows what a page contains."""
