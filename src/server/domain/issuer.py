"""Issuers of signed tokens that an installation trusts, and what a checked token says about who calls."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.errors import InvalidArgument, Unauthenticated
from server.domain.team import LONGEST_EMAIL, LONGEST_NAME, UserDraft, check_user
from server.domain.violation import Violations, why_unstorable


@dataclass(frozen=True, slots=True)
class Issuer:
    """How far an issuer is trusted: `name` is its `iss`, exactly."""

    name: str
    create_users: bool = False
    link_by_email: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at an issuer; the subject identifies, all else is what the issuer says about them.

    `email_verified` is None where the issuer does not say.
    """

    issuer: Issuer
    subject: str
    email: str = ""
    email_verified: bool | None = None
    display_name: str = ""

    def require_trusted(self) -> None:
        """Refuses who can be neither somebody new nor somebody linked, whatever is known here of their address.

        So that only who holds a credible address can find out whether somebody here has it.
        """
        if not (self.issuer.create_users or self.issuer.link_by_email):
            raise _unknown()
        if self.email_verified is False:
            raise Unauthenticated("the issuer has not verified your e-mail address", reason="EMAIL_UNVERIFIED")

    def newcomer(self) -> UserDraft:
        """Answers the user to make of somebody seen for the first time, where the issuer is trusted to that.

        Never a platform admin and never a service account, whatever the token says.
        """
        if not self.issuer.create_users:
            raise _unknown()
        email = self.address
        draft = UserDraft(email, _usable_name(self.display_name) or email.partition("@")[0][:LONGEST_NAME])
        violations = Violations()
        check_user(violations, "user", draft)
        try:
            violations.raise_if_any()
        except InvalidArgument:
            raise Unauthenticated("the token has no usable e-mail address", reason="CLAIM_UNUSABLE") from None
        return draft

    @property
    def address(self) -> str:
        """The e-mail address as it is kept; empty for what cannot be one, which nobody here has."""
        email = self.email.lower()
        return "" if len(email) > LONGEST_EMAIL or why_unstorable(email) else email

    def proves(self, email: str) -> bool:
        """Whether this identity may be linked to the user who has `email` already."""
        return self.issuer.link_by_email and self.email_verified is True and self.address == email


def _unknown() -> Unauthenticated:
    return Unauthenticated("nobody here has this identity; ask an admin", reason="USER_UNKNOWN")


def _usable_name(name: str) -> str:
    """Answers the name as far as it can be kept: it only adorns, so it keeps nobody out."""
    return "" if why_unstorable(name) else name.strip()[:LONGEST_NAME].strip()
