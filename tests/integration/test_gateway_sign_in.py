"""Who a request comes from, over real HTTP: credentials in their order, `?token=`, the form, sessions and their end."""

from __future__ import annotations

import pytest

from gateway import refusal
from gateway.asked import CredentialKind
from tests.integration.edge import BEARER, COOKIE, HTML, JSON, SESSION, SUMMARY, TOKEN, Edge


@pytest.mark.parametrize(
    ("headers", "query", "kind", "value"),
    [
        ({}, "", CredentialKind.NONE, ""),
        (BEARER, "", CredentialKind.PARTNER_TOKEN, TOKEN),
        ({"authorization": "Basic Zm9vOmJhcg=="}, "", CredentialKind.PARTNER_TOKEN, ""),
        ({}, f"?token={TOKEN}", CredentialKind.PARTNER_OR_PAGE_TOKEN, TOKEN),
        ({}, "?token=", CredentialKind.PARTNER_OR_PAGE_TOKEN, ""),
        (COOKIE, f"?token={TOKEN}", CredentialKind.SESSION, SESSION),
        (BEARER | COOKIE, "?token=x", CredentialKind.PARTNER_TOKEN, TOKEN),
        ({"authorization": ""} | COOKIE, "", CredentialKind.PARTNER_TOKEN, ""),
        ({"cookie": f"__Secure-oncall-session={SESSION}"}, "", CredentialKind.NONE, ""),
    ],
)
async def test_credentials_count_in_their_order(
    edge: Edge, headers: dict[str, str], query: str, kind: CredentialKind, value: str
) -> None:
    await edge.http.get(SUMMARY + query, headers=headers)
    assert (edge.keep.asked[0].credential.kind, edge.keep.asked[0].credential.value) == (kind, value)


async def test_a_token_in_a_browsers_address_is_traded_and_taken_out_of_it(edge: Edge) -> None:
    answer = await edge.http.get(f"/status/acme?a=1&token={TOKEN}&b=%26", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/status/acme?a=1&b=%26")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"oncall-session={SESSION}; Max-Age=43")
    assert cookie.endswith("; Path=/status/acme; HttpOnly; SameSite=Lax")
    assert (await edge.http.get(answer.headers["location"], headers=HTML)).status_code == 200
    assert TOKEN not in str(answer.headers)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"


async def test_a_token_in_a_programs_address_is_used_as_it_is(edge: Edge) -> None:
    for path, headers in (("/status/acme", JSON), (SUMMARY, HTML)):
        answer = await edge.http.get(f"{path}?token={TOKEN}", headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
        assert answer.headers["cache-control"] == "private, no-store"


async def test_a_bad_token_in_a_browsers_address_shows_the_form(edge: Edge) -> None:
    answer = await edge.http.get("/status/acme?token=wrong", headers=HTML)
    assert answer.status_code == 401
    assert 'action="/status/acme/session"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_who_is_signed_in_stays_whom_they_are(edge: Edge) -> None:
    answer = await edge.http.get("/status/acme?token=wrong", headers=HTML | COOKIE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/status/acme")
    edge.keep.session_ended = True
    assert (await edge.http.get(f"/status/acme?token={TOKEN}", headers=HTML | COOKIE)).status_code == 303


async def test_a_session_that_is_not_known_counts_as_none_and_is_cleared(edge: Edge) -> None:
    edge.keep.session_ended = True
    private = await edge.http.get("/status/acme", headers=HTML | COOKIE)
    assert (private.status_code, "TOKEN_MISSING" in private.text) == (401, True)
    edge.keep.public = True
    public = await edge.http.get("/status/acme", headers=HTML | COOKIE)
    assert public.status_code == 200
    for answer in (private, public):
        assert answer.headers["set-cookie"].startswith("oncall-session=; Max-Age=0; Path=/status/acme;")
        assert answer.headers["cache-control"] == "private, no-store"


async def test_who_was_cut_off_hears_so_once_also_on_a_public_page(edge: Edge) -> None:
    edge.keep.public = True
    edge.keep.refused = refusal.forbidden("PARTNER_REVOKED")
    answer = await edge.http.get("/status/acme", headers=HTML | COOKIE)
    assert (answer.status_code, "PARTNER_REVOKED" in answer.text) == (403, True)
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_the_form_signs_in_and_out(edge: Edge) -> None:
    for sent in ({"data": {"token": TOKEN}}, {"json": {"token": f" {TOKEN} "}}):
        answer = await edge.http.post("/status/acme/session", headers={"sec-fetch-site": "same-origin"}, **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["location"]) == (303, "/status/acme")
        assert SESSION in answer.headers["set-cookie"]
    for method, path in (("DELETE", "/status/acme/session"), ("POST", "/status/acme/sign-out")):
        answer = await edge.http.request(method, path)
        assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (303, True)


@pytest.mark.parametrize(("language", "words"), [("en", "Sign out"), ("de", "Abmelden")])
async def test_who_is_signed_in_has_a_button_to_sign_out_that_needs_no_script(
    edge: Edge, language: str, words: str
) -> None:
    answer = await edge.http.get("/status/acme", headers=HTML | COOKIE | {"accept-language": language})
    form = f'<form class="sign-out" method="post" action="/status/acme/sign-out"><button>{words}</button></form>'
    assert (answer.status_code, form in answer.text) == (200, True)
    assert answer.headers["referrer-policy"] == "same-origin", "else older browsers would send an origin of null"


async def test_signing_out_ends_the_session_itself_and_not_only_the_cookie(edge: Edge) -> None:
    answer = await edge.http.post("/status/acme/sign-out", headers=HTML | COOKIE)
    assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (303, True)
    assert (await edge.http.get("/status/acme", headers=HTML | COOKIE)).status_code == 401, "a copy of the cookie"


async def test_who_is_not_signed_in_has_nothing_to_sign_out_of(edge: Edge) -> None:
    edge.keep.public = True
    for headers in (HTML, HTML | {"authorization": f"Bearer {TOKEN}"}):
        answer = await edge.http.get("/status/acme", headers=headers)
        assert (answer.status_code, "sign-out" in answer.text) == (200, False)
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_wrong_token_shows_the_form_again(edge: Edge) -> None:
    answer = await edge.http.post("/status/acme/session", headers=HTML, data={"token": "wrong"})
    assert (answer.status_code, "aria-invalid" in answer.text) == (401, True)
    other = await edge.http.post("/status/other/session", headers=HTML, data={"token": "wrong"})
    assert other.text.replace("/status/other", "/status/acme") == answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 303),
        ({}, 303),
    ],
)
async def test_only_a_form_of_our_own_counts(edge: Edge, headers: dict[str, str], status: int) -> None:
    for path in ("/status/acme/session", "/status/acme/sign-out"):
        answer = await edge.http.post(path, headers=headers, data={"token": TOKEN})
        assert (answer.status_code, "set-cookie" in answer.headers) == (status, status == 303)


async def test_the_forms_own_origin_counts_in_older_browsers(edge: Edge) -> None:
    own = {"origin": f"http://127.0.0.1:{edge.port}"}
    assert (await edge.http.post("/status/acme/session", headers=own, data={"token": TOKEN})).status_code == 303


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"token=x", 415),
        ("multipart/form-data; boundary=x", b"", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/json", b'{"token": 1}', 400),
        ("application/json", b'{"token": "\\ud800"}', 400),
        ("application/json", b"[" * 4000, 400),
        ("application/x-www-form-urlencoded", b"token=%ff", 400),
        ("application/x-www-form-urlencoded", b"", 400),
        ("application/x-www-form-urlencoded", b"token=" + b"x" * 5_000, 413),
    ],
)
async def test_bad_forms_are_refused(edge: Edge, kind: str, body: bytes, status: int) -> None:
    answer = await edge.http.post("/status/acme/session", headers={"content-type": kind}, content=body)
    assert answer.status_code == status
