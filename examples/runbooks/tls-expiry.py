"""Says when the TLS certificate of a server expires, and whether it is trusted for that name.

Exit code: 0 good, 1 expired, soon to expire or not trusted, 2 where no certificate could be had.
"""

import os
import socket
import ssl
import sys
from datetime import datetime, timedelta, timezone

HOST = os.environ["PARAM_HOST"]
PORT = int(os.environ["PARAM_PORT"])
NAME = os.environ.get("PARAM_SERVER_NAME") or HOST
WARN = timedelta(days=int(os.environ["PARAM_WARN_DAYS"]))
MUST_BE_TRUSTED = os.environ["PARAM_TRUSTED"] == "true"


def certificate() -> bytes:
    """The server's certificate (DER), trusted or not: an expired one is what this looks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connected(context) as connection:
        return connection.getpeercert(binary_form=True)


def why_untrusted() -> str:
    """Empty where this machine trusts the certificate for that name."""
    try:
        with connected(ssl.create_default_context()):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (ssl.SSLError, OSError) as error:
        return str(error)


def connected(context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((HOST, PORT), timeout=10)
    try:
        return context.wrap_socket(plain, server_hostname=NAME)
    except BaseException:
        plain.close()
        raise


def element(data: bytes, start: int) -> tuple[int, int, int]:
    """Tag, first byte and end of the DER element at `start`."""
    length, body = data[start + 1], start + 2
    if length >= 0x80:
        body += length & 0x7F
        length = int.from_bytes(data[start + 2 : body], "big")
    return data[start], body, body + length


def validity(der: bytes) -> list[datetime]:
    """Not before and not after: Certificate, TBSCertificate, then past version, serial, algorithm and issuer."""
    at = element(der, element(der, 0)[1])[1]
    for _ in range(4 if element(der, at)[0] == 0xA0 else 3):
        at = element(der, at)[2]
    at = element(der, at)[1]
    times = []
    for _ in range(2):
        tag, body, end = element(der, at)
        text = der[body:end].decode()
        if tag == 0x17:  # UTCTime has two digits of the year, 1950 to 2049
            text = ("19" if text >= "5" else "20") + text
        times.append(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc))
        at = end
    return times


def main() -> int:
    try:
        not_before, not_after = validity(certificate())
    except OSError as error:
        print(f"tls-expiry: no certificate from {HOST}:{PORT}: {error}", file=sys.stderr)
        return 2
    left = not_after - datetime.now(timezone.utc)
    untrusted = why_untrusted()
    print(f"server:     {HOST}:{PORT} as {NAME}")
    print(f"valid from: {not_before:%Y-%m-%d %H:%M} UTC")
    print(f"valid to:   {not_after:%Y-%m-%d %H:%M} UTC, {left.days} days from now")
    print(f"trusted:    {'no, ' + untrusted if untrusted else 'yes'}")
    if left < timedelta():
        print("tls-expiry: it has expired", file=sys.stderr)
    elif left < WARN:
        print(f"tls-expiry: it expires in less than {WARN.days} days", file=sys.stderr)
    elif not (untrusted and MUST_BE_TRUSTED):
        return 0
    else:
        print("tls-expiry: it is not trusted", file=sys.stderr)
    return 1


sys.exit(main())
