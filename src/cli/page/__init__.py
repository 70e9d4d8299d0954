"""`oncall page`: status pages, what stands on them, and how audiences see them."""
