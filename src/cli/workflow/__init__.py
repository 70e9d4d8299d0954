"""`oncall workflow`: what incidents start, its runs, and somebody's word where a run waits for it."""
