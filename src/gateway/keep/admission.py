"""That a client may read a page, as the server said it: until when it may be repeated, and what ends it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from gateway.asked import Asked, Client, CredentialKind
from gateway.keep.contents import AudienceKey
from gateway.keep.lru import Lru

CLIENTS = 50_000
LONGEST_SECONDS = 300.0
"""No admission is repeated longer than that without asking, whatever the clocks of two machines say."""


@dataclass(frozen=True, slots=True)
class Admission:
    """`partner_id` is empty for everybody; `by_page_token`: also where a session made of one let them in.

    `epoch` and `elapsed_until` are of this process; one from the disk has epoch -1 and is never fresh.
    `ends_at` is when the access ends by itself, unset: never.
    """

    credential: bytes
    page_id: str
    partner_id: str
    token_id: str
    token_prefix: str
    by_page_token: bool
    page_version: int
    asked_at: datetime
    admitted_until: datetime
    ends_at: datetime | None
    epoch: int = -1
    elapsed_until: float = float("-inf")
    audience: AudienceKey = field(init=False)
    repeated_until: datetime = field(init=False)
    """Until when it may be repeated, unless something ends it before."""
    credential_name: str = field(init=False)
    """The credential as tombstones have it."""

    def __post_init__(self) -> None:
        until = min(self.admitted_until, self.ends_at or self.admitted_until)
        object.__setattr__(self, "audience", AudienceKey(self.page_id, self.partner_id))
        object.__setattr__(self, "repeated_until", until)
        object.__setattr__(self, "credential_name", self.credential.hex())


class Admissions:
    """Admissions by client; all of one credential go together when it turns out to be good for nothing."""

    def __init__(self, limit: int = CLIENTS) -> None:
        self._admissions: Lru[bytes, Admission] = Lru(limit)
        self._by_credential: dict[bytes, set[bytes]] = {}

    def get(self, client: Client) -> Admission | None:
        return self._admissions.get(client.digest)

    def put(self, client: Client, admission: Admission) -> None:
        """Keeps it, unless what is kept was said later."""
        kept = self._admissions.get(client.digest)
        if kept and (kept.epoch, kept.page_version) > (admission.epoch, admission.page_version):
            return
        for digest, gone in self._admissions.put(client.digest, admission):
            self._unlist(digest, gone)
        self._by_credential.setdefault(admission.credential, set()).add(client.digest)

    def drop(self, client: Client) -> None:
        admission = self._admissions.get(client.digest)
        if admission:
            self._admissions.drop(client.digest)
            self._unlist(client.digest, admission)

    def of_credential(self, client: Client) -> list[Admission]:
        """Answers what is kept of that credential, from whatever address."""
        digests = self._by_credential.get(client.credential, ())
        return [admission for digest in digests if (admission := self._admissions.get(digest))]

    def drop_credential(self, client: Client) -> None:
        for digest in list(self._by_credential.get(client.credential, ())):
            self.drop(Client(digest, client.credential))

    def drop_page(self, page_id: str) -> None:
        for digest in list(self._admissions):
            admission = self._admissions.get(digest)
            if admission and admission.page_id == page_id:
                self.drop(Client(digest, admission.credential))

    def __len__(self) -> int:
        return len(self._admissions)

    def _unlist(self, digest: bytes, gone: Admission) -> None:
        listed = self._by_credential[gone.credential]
        listed.discard(digest)
        if not listed:
            del self._by_credential[gone.credential]


class Clients:
    """Tells clients apart by keyed BLAKE2b, under a key that is random for each process or each folder."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, asked: Asked) -> Client:
        """The address is a part of who asks only where a credential is: nobody in particular comes from anywhere."""
        kind, value = asked.credential.kind, asked.credential.value
        if kind is CredentialKind.SESSION:
            credential = self.of_session(asked.slug, sha256(value.encode(errors="surrogatepass")).hexdigest())
        else:
            credential = self._digest(asked.slug, kind.value, value)
        digest = credential if kind is CredentialKind.NONE else self._digest(credential.hex(), asked.client_ip)
        return Client(digest, credential, asked.client_ip, asked.user_agent)

    def of_session(self, slug: str, session_hash: str) -> bytes:
        """Answers the credential of a session by its hash, which is all that a change says of one that was ended."""
        return self._digest(slug, CredentialKind.SESSION.value, session_hash)

    def _digest(self, *parts: str) -> bytes:
        text = "".join(f"{len(part)}:{part}" for part in parts)  # lengths, so that no two divisions read alike
        return hashlib.blake2b(text.encode(errors="surrogatepass"), key=self._key, digest_size=32).digest()
