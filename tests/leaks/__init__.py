"""Looks for what status pages give away: every route of the gateway, asked by everybody who may not read, and how.

The routes come from the gateway's own table and its OpenAPI document, so that one which is added later is asked too.
What may not be told are words that stand nowhere else (`canaries`), one in every field; the gates that `broken` breaks
show that the walk would find it.
"""
