"""The gateway: status pages over HTTP for people and programs outside; holds no rule and no database handle."""
