"""`oncall delivery`: what became of each notification and webhook."""
