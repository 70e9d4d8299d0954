"""`oncall incident`: what is wrong, who took it on, and what was said of it."""
