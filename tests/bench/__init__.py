"""`python -m tests.bench`: how fast the main job is, as ratios to what it cannot be faster than, in one run.

Times on shared machines are noise; ratios of things measured in turns in one run are less so. Nothing here passes or
fails.
"""
