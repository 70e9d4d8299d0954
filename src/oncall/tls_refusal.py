"""Says in a sentence why a connection with TLS could not be made, which gRPC tells as an unreachable server.

Only what stays so until somebody changes something is recognised; a handshake that broke off may succeed next time.
"""

from __future__ import annotations

_SENTENCES = (
    ("certificate has expired", "the server's certificate has expired"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's certificate is not trusted: give the certificates of who signed it as root_certificates",
    ),
    ("Hostname Verification Check failed", "the server's certificate is for another name than that of the address"),
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS at this address: connect without it, or to another port"),
)


def why_tls_failed(details: str) -> str:
    """Answers the sentence, followed by gRPC's own words; empty where `details` tell of something else."""
    for sign, sentence in _SENTENCES:
        if sign in details:
            return f"{sentence} ({details.rpartition('last error: ')[2]})"
    return ""


def with_hint(details: str) -> str:
    """Answers `details`, with a question where the server hung up at once, as one does that wants TLS."""
    hung_up = details.startswith("failed to connect") and details.endswith("Socket closed")
    return f"{details}; does the server want TLS?" if hung_up else details
