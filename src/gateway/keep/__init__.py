"""What the gateway keeps of the server's answers, and when it may repeat them; `keeper` is the way in.

No rule lives here: the server decided who sees what. This package knows how long a decision may be repeated, what ended
it early, and what is left to say when nobody can be asked.
"""
