"""`oncall up`: everything on one machine, each part its own process, started in order, watched, stopped in order."""
