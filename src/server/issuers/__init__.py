"""Signed tokens (JWT) of issuers that the operator configured: which they are, their keys, and whether a token is good.

Whether its holder is anybody here is not decided in this package: see `server.operations.sign_in`.
"""
