"""Says in a sentence why a connection with TLS could not be made, which gRPC tells as an unreachable server.

Only what stays so until somebody changes something is recognised; a handshake that broke off may succeed next time.
"""

from __future__ import annotations

_UNTRUSTED = "the server's certificate is not trusted: give the certificates of who signed it as "
_SENTENCES = (
    ("certificate has expired", "the server's certificate has expired"),
    ("CERTIFICATE_VERIFY_FAILED", _UNTRUSTED),
    ("Hostname Verification Check failed", "the server's certificate is for another name than that of the address"),
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS at this address: connect without it, or to another port"),
)


def why_tls_failed(details: str, roots: str = "root_certificates") -> str:
    """Answers the sentence, followed by gRPC's own words; empty where `details` tell of something else.

    `roots` is how the caller calls what says whom to trust.
    """
    for sign, sentence in _SENTENCES:
        if sign in details:
            named = roots if sentence is _UNTRUSTED else ""
            return f"{sentence}{named} ({details.rpartition('last error: ')[2]})"
    return ""


def with_hint(details: str) -> str:
    """Answers `details`, with a question where the server hung up at once.

    One does so that wants TLS, or a client certificate; with TLS 1.3 the client itself has no word of the reason.
    """
    hung_up = details.startswith("failed to connect") and details.endswith("Socket closed")
    return f"{details}; does the server want TLS, or a client certificate of its authority?" if hung_up else details
