"""API keys, whose secrets go on working, and what providers know the customers by."""

import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import lookup_hash, masked
from budapp.cloud_provider_ops.fields import MASK, summary_of
from budapp.cloud_provider_ops.models import CloudCredential
from budapp.commons.scopes import ROLE_SCOPES, Scope, scopes_implying
from budapp.legacy_ops.declarations import OLDEST, Left, Move, Old, Ref, Row
from budapp.legacy_ops.secrets import Unreadable
from budapp.legacy_ops.tables.projects import PAIR
from budapp.provider_credential_ops.fields import DEFAULT, fields_of
from budapp.provider_credential_ops.fields import masked as masked_secret
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_credential_ops.services import GATEWAY_FIELD
from budapp.user_ops.models import UserStatus

_CALL_ANYWHERE = {
    role for role, scopes in ROLE_SCOPES.items() if scopes_implying(Scope.ENDPOINT_VIEW).intersection(scopes)
}


def _refuse_without_project(old: Old) -> None:
    if old["project_id"] is None:
        raise Left("a key in no project opens nothing here")


def _remark_of_owner(old: Old) -> None:
    """Say of a key that it opens nothing: here it opens no more than its owner may call, at any time."""
    owner, member = old.ref("user_id") or {}, old.ref("member_id")
    if owner.get("status") != UserStatus.ACTIVE:
        old.remark("its owner is not active: it opens nothing until they are")
    elif owner.get("role") not in _CALL_ANYWHERE and not (member and member["scopes"]):
        old.remark("its owner may not call deployments of the project: it opens nothing until they may")


def _secret_of(old: Old) -> str | None:
    """Return the key in clear where it can be read."""
    try:
        return old.context.secrets.read(old["encrypted_key"])
    except Unreadable as error:
        if old.context.secrets.has_private_key:
            old.remark(f"{error}: it goes on working, and its owner can't look at it")
        return None


def _key(old: Old) -> list[Row]:
    """Return the key: the gateway's hash as it is, and what else we know keys by where the secret can be read."""
    secret, hashed = _secret_of(old), old["hashed_key"]
    _remark_of_owner(old)
    if hashed is None and secret is None:
        raise Left("it has no hash, and its secret can be read only with --private-key")
    if hashed is not None and secret is not None and lookup_hash(secret) != hashed:
        old.remark("its hash is not the one of its secret: what opens the gateway is the hash")
        secret = None
    known = {"key_hmac": old.context.peppers.digest(secret), "masked_key": _masked(secret)} if secret else {}
    unknown = {"key_hmac": None, "masked_key": f"bud_{old['credential_type'].removesuffix('_app')}_{MASK}"}
    return [{"hashed_key": hashed or lookup_hash(secret or ""), **unknown, **known}]


def _masked(secret: str) -> str:
    return masked(secret) if secret.count("_") > 1 else MASK


def _budgets(old: Old) -> dict[str, str] | None:
    found = old["model_budgets"]
    if found is None:
        return None
    if not isinstance(found, dict):
        raise Left("its model_budgets is no object")
    return {str(model_id): str(amount) for model_id, amount in found.items()}


def _networks(old: Old) -> list[str] | None:
    found = old["ip_whitelist"]
    if found is None or found == []:
        return None
    try:
        return [str(one) if "/" in str(one) else str(ip_network(one).network_address) for one in found]
    except (ValueError, TypeError):
        raise Left("its ip_whitelist holds something that is no address") from None


def _fields(old: Old) -> dict[str, str]:
    found = old["other_provider_creds"] or {}
    if not isinstance(found, dict):
        raise Left("its other_provider_creds is no object")
    return {str(name): old.secret(str(value)) for name, value in found.items() if value not in (None, "")}


def _provider_credential(old: Old) -> list[Row]:
    asked, values = fields_of(old["type"]) or DEFAULT, _fields(old)
    secrets = {name: value for name, value in values.items() if asked.is_secret(name)}
    return [
        {
            "settings": {name: value for name, value in values.items() if name not in secrets},
            "masked": {name: masked_secret(value) for name, value in secrets.items()},
            "secrets_encrypted": json.dumps(secrets),
            **_for_gateway(old, secrets.get(GATEWAY_FIELD)),
        }
    ]


def _for_gateway(old: Old, key: str | None) -> Row:
    gateway = old.context.recipients.gateway
    if gateway is None:
        return {"gateway_key": None, "gateway_key_id": None}
    if key is not None and len(key.encode()) > gateway.max_bytes:
        raise Left(f"its {GATEWAY_FIELD} is too long for the gateway to read it")
    return {"gateway_key": gateway.encrypt(key) if key else None, "gateway_key_id": gateway.id}


def _cloud_credential(old: Old) -> list[Row]:
    found = old["encrypted_credential"]
    if not isinstance(found, dict):
        raise Left("its encrypted_credential is no object")
    values = {str(name): old.secret(str(value)) for name, value in found.items() if value is not None}
    provider = old.ref("provider_id") or {}
    return [{"values_encrypted": json.dumps(values), "summary": _summary(provider.get("schema_definition"), values)}]


def _summary(schema: Any, values: Mapping[str, str]) -> dict[str, str]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    known = properties if isinstance(properties, dict) else {}
    shown = {name: value for name, value in values.items() if isinstance(known.get(name), dict)}
    return dict.fromkeys(values, MASK) | summary_of({"properties": known}, shown)


MOVES = (
    Move(
        "credential",
        Credential,
        order=OLDEST,
        refs={
            "user_id": Ref("user", ("role", "status")),
            "project_id": Ref("project"),
            "member_id": Ref("project_user_association", ("scopes",), optional=True, quiet=True),
        },
        extra={"member_id": PAIR},
        tenant="project_id",
        columns={"model_budgets": _budgets, "ip_whitelist": _networks},
        rows=_key,
        check=_refuse_without_project,
    ),
    Move(
        "proprietary_credential",
        ProviderCredential,
        order=OLDEST,
        refs={"user_id": Ref("user"), "provider_id": Ref("provider", optional=True)},
        tenant="user_id",
        rows=_provider_credential,
    ),
    Move(
        "cloud_credentials",
        CloudCredential,
        refs={"user_id": Ref("user"), "provider_id": Ref("cloud_providers", ("schema_definition",))},
        tenant="user_id",
        rows=_cloud_credential,
    ),
)
