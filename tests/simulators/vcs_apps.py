"""The apps of the vcita simulator: registering, assigning, authorizing and subscribing (vcita.md 9.1, 9.2, 9.5, 9.8).

One app exists from the start, that of the simulator's options; further ones come from ``--app`` and from P1. A channel
belongs to the app whose token made it, and its webhooks go to that app's ``api_uri``.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.simulators.common import json_answer, read_fields


@dataclass
class App:
    """A registered app."""

    client_id: str
    client_secret: str
    api_uri: str
    redirect_uri: str = ""
    app_id: str = field(default_factory=lambda: str(secrets.randbelow(10**6)))
    app_code_name: str = ""
    business: str = ""
    """Its own: what its token acts for, and whose staff are logged in at the authorization page unless the control side says
    otherwise."""
    form: dict[str, Any] = field(default_factory=dict)


@dataclass
class Bearer:
    """Whose a token is. `business` is None for an app's own token."""

    app: App
    business: str | None

    @property
    def acts_for(self) -> str:
        """The business whose contacts it sees."""
        return self.business or self.app.business


class Consent:
    """How the authorization page behaves."""

    def __init__(self) -> None:
        self.business: str | None = None
        self.mode = "allow"
        self.id_token = True


def id_token(business: str) -> str:
    """A JWT as the token endpoint gives it; nobody checks the signature here."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return ".".join((part({"alg": "RS256"}), part({"iss": "intandem", "business_id": business}), "c2ln"))


class Apps:
    """The registered apps, the businesses that let them in, and what they subscribed to."""

    def __init__(self, first: App, more: list[App]) -> None:
        self.by_id: dict[str, App] = {app.client_id: app for app in (first, *more)}
        self.first = first
        self.consented: set[tuple[str, str]] = set()
        self.assignments: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        self.revoked = 0
        self.consent = Consent()

    def may(self, bearer: Bearer, business: str) -> bool:
        """Whether a call with this token may be about this business (vcita.md 9.4, row 2)."""
        if bearer.business is not None:
            return bearer.business == business
        return (bearer.app.client_id, business) in self.consented

    def state(self) -> dict[str, Any]:
        """What a test may look at: no secret."""
        return {
            "apps": [{"app_code_name": app.app_code_name, "form": app.form} for app in self.by_id.values()],
            "assignments": self.assignments,
            "subscriptions": self.subscriptions,
            "revoked": self.revoked,
        }


def authorize(apps: Apps, codes: dict[str, dict[str, Any]], seconds: int, request: web.Request) -> web.StreamResponse:
    """The authorization page: sends the browser back at once, as for a trusted app whose staff are logged in.

    Whose staff that is says the control side, else the app.
    """
    query = request.query
    app = apps.by_id.get(query.get("client_id", ""))
    if app is None or query.get("redirect_uri") != app.redirect_uri or query.get("response_type") != "code":
        return json_answer({"error": "invalid_request", "error_description": "Unknown client or redirect_uri"}, status=400)
    if query.get("code_challenge_method", "S256") != "S256":
        return json_answer({"error": "invalid_request", "error_description": "code_challenge_method"}, status=400)
    business = apps.consent.business or app.business or apps.first.business
    back = {"state": query.get("state", "")}
    if apps.consent.mode == "deny":
        back |= {"error": "access_denied", "error_description": "The staff member said no"}
    else:
        code = secrets.token_hex(16)
        codes[code] = {
            "valid_until": time.time() + seconds,
            "redirect_uri": app.redirect_uri,
            "code_challenge": query.get("code_challenge"),
            "refresh_token": False,
            "client_id": app.client_id,
            "business": business,
        }
        back["code"] = code
    return web.Response(status=302, headers={"Location": f"{app.redirect_uri}?{urlencode(back)}"})


def register(apps: Apps, data: dict[str, Any]) -> dict[str, Any]:
    """P1: 201 with the only sight of the secret."""
    app = App(
        client_id=secrets.token_hex(16),
        client_secret=secrets.token_hex(16),
        api_uri=str(data.get("api_uri", "")),
        redirect_uri=str(data.get("redirect_uri", "")),
        app_code_name=str(data.get("app_code_name", "")),
        form=data,
    )
    apps.by_id[app.client_id] = app
    return {
        "app_id": app.app_id,
        "app_code_name": app.app_code_name,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "name": data.get("name"),
    }


def subscribe(apps: Apps, data: dict[str, Any]) -> dict[str, Any] | None:
    """P9; None if this event goes to this address already."""
    wanted = {"event": data.get("event"), "target_url": data.get("target_url")}
    if any(one["event"] == wanted["event"] and one["target_url"] == wanted["target_url"] for one in apps.subscriptions):
        return None
    entry = {**wanted, "subscription_id": str(uuid.uuid4())}
    apps.subscriptions.append(entry)
    return entry


def unsubscribe(apps: Apps, data: dict[str, Any]) -> bool:
    """P9, the other way round: whether anything went to this address, of this event if one is named."""
    ends = {key: data[key] for key in ("event", "target_url") if key in data}
    kept = [one for one in apps.subscriptions if not ends.items() <= one.items()]
    is_any = len(kept) < len(apps.subscriptions)
    apps.subscriptions = kept
    return is_any


async def control_consent(apps: Apps, request: web.Request) -> web.Response:
    """Who is logged in at the authorization page, and what they say."""
    data = await read_fields(request, {"business": (str,), "mode": (str,), "id_token": (bool,)})
    apps.consent = Consent()
    apps.consent.business = data.get("business")
    apps.consent.mode = data.get("mode", "allow")
    apps.consent.id_token = data.get("id_token", True)
    return json_answer({"business": apps.consent.business, "mode": apps.consent.mode})
