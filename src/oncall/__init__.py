"""The generated contract (`oncall.v1`) and the thin client over it."""
