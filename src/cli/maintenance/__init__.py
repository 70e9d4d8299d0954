"""`oncall maintenance`: work that is announced before it is done."""
