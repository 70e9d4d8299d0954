"""`oncall channel`: where a team hears of what happens. Targets go in by prompt, pipe or file, and never come out."""
