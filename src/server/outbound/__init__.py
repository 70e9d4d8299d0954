"""What speaks to the world outside on a team's word: webhooks, and other people's services. Only `jobs` uses it.

Every connection goes to an address that `server.domain.outbound` permits, and no message or error has a secret in it.
"""
