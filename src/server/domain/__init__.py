"""The rules, without I/O: lifecycles, permissions, checks of what callers send. Nothing here awaits."""
