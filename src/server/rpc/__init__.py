"""Translation between the contract and the operations; no rule lives here."""
