"""The fields by which the credentials of each kind of connector are entered."""

from typing import Any

from budapp.connector_ops.schemas import AuthType, ConnectorField

_CONSENT = {"grant_type": ["authorization_code"]}


def _field(
    number: int, field: str, label: str, kind: str = "text", *, required: bool = True, **more: Any
) -> ConnectorField:
    return ConnectorField(field=field, label=label, type=kind, order=number, required=required, **more)


_FORMS: dict[AuthType, list[ConnectorField]] = {
    "OAuth": [
        _field(1, "grant_type", "Grant type", "dropdown", options=["authorization_code", "client_credentials"]),
        _field(2, "client_id", "Client ID", required=False),
        _field(3, "client_secret", "Client secret", "password", required=False),
        _field(4, "token_url", "Token URL", "url", placeholder="https://provider.example.com/oauth/token"),
        _field(5, "authorization_url", "Authorization URL", "url", required=False, visible_when=_CONSENT),
        _field(6, "scopes", "Scopes", "tags", required=False),
        _field(7, "supports_dcr", "The client registers by itself", "boolean", required=False, default=False),
        _field(
            8, "registration_url", "Registration URL", "url", required=False, visible_when={"supports_dcr": ["true"]}
        ),
        _field(
            9,
            "redirect_uri",
            "Redirect URI",
            "url",
            required=False,
            description="Leave it out, and people return to this platform",
            visible_when=_CONSENT,
        ),
    ],
    "Headers": [_field(1, "auth_headers", "Headers", "key-value-array")],
    "Open": [],
}


def form_of(auth_type: str) -> list[ConnectorField]:
    """Return the fields of a kind; none for one that budapp does not know."""
    return next((fields for known, fields in _FORMS.items() if known == auth_type), [])


def forms() -> dict[str, list[ConnectorField]]:
    """Return the fields of all kinds."""
    return {str(kind): fields for kind, fields in _FORMS.items()}
