"""Storm: everybody reads at full speed while access is taken away at random, and what must hold meanwhile and after.

`test_storm.py` runs a short form, `python -m tests.storm` a long one. `plan` says how much; `site` holds
the processes, two servers and a gateway before each; `clients` read and listen over `http`; `administrators` revoke,
rotate, re-scope, close out; `blows` kills, cuts and freezes; `reload` is the storm after a change. `readers` and
`history` know who may have been shown what at which moment, and `ledger` judges every answer by it; `campaign` puts
these together.
"""
