"""Workflows: what one may say, and what a run of one does next. Pure: no clock, no database, no queue."""
