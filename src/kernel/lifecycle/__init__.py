"""The protocol that moves an execution: create, claim, renew, finish, expire, cancel. PostgreSQL decides, and only it.

* A *claim* is a compare-and-set from PENDING to RUNNING that raises the epoch. Of any number of executors that heard
  any number of rings, one gets it.
* Every later write of that executor names its epoch and touches no row once the epoch has moved on (the *fence*).
* The *lease* says until when the executor is believed to live; it renews all of its leases in one statement, and the
  answer tells which are lost and which somebody asked to cancel. The sweep in `jobs` ends attempts whose lease ran out.

A small model of it is searched over all interleavings by tests/unit/kernel/protocol: change both together.

Lease times are the database's clock alone, so executors need no agreement on the time. Every function runs inside the
caller's transaction and returns the events that it appended, to be published after the commit.
"""

from kernel.lifecycle.cancelling import CancelRequested, request_cancel
from kernel.lifecycle.claiming import Claim, claim, renew
from kernel.lifecycle.creation import RING_AGAIN_AFTER, create_pending, creation, to_ring_again
from kernel.lifecycle.ending import Moved, expire, finish

__all__ = [
    "RING_AGAIN_AFTER",
    "CancelRequested",
    "Claim",
    "Moved",
    "claim",
    "create_pending",
    "creation",
    "expire",
    "finish",
    "renew",
    "request_cancel",
    "to_ring_again",
]
