"""What callers can have done: each loads, permits, decides and stores, in one transaction that it owns."""
