"""What an execution is, without I/O: its states, its log, its output, and the content it runs.

Pure: the standard library only. The protocol that moves an execution in the database is `kernel.lifecycle`.
"""
