"""Chaos: a load of executions while every process of the platform is killed at random, and what must hold after it.

`test_chaos.py` runs a short form with the suite, `python -m tests.chaos` (`make chaos`) a long one. `plan` says what is
asked for and what is struck, all from one seed; `fleet` holds the processes; `load` calls as clients do; `marks` hears
what scripts leave outside; `verdict` and `leftovers` look for what must not be; `campaign` puts these together.
"""
