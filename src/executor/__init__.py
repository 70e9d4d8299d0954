"""The executor: a taskiq worker that claims executions, runs their scripts in a sandbox and relays their output.

Read it from `__main__` downwards: task → worker → attempt → sandbox, relay → record. It serves no request and holds no
rule about who may do what; it believes the database alone.
"""
