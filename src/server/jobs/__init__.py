"""`python -m server.jobs`: what must happen without a caller. Run one or several; they never do a thing twice."""
