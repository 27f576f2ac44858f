"""Prompts, guardrails, and the playground."""

from typing import Any

from budapp.guardrail_ops.models import (
    GuardrailDeployment,
    GuardrailProbe,
    GuardrailProfile,
    GuardrailProfileProbe,
    GuardrailProfileRule,
    GuardrailRule,
    GuardrailRuleDeployment,
)
from budapp.legacy_ops.declarations import NEWEST, OLDEST, Left, Move, Old, Ref, column, either, marks, of
from budapp.playground_ops.models import ChatMessage, ChatNote, ChatSession, ChatSetting
from budapp.prompt_ops.models import Prompt, PromptVersion

_USER = Ref("user")
_OWNER = Ref("user", optional=True)
_PROBE = Ref("guardrail_probe")
_PROFILE = Ref("guardrail_profile")
_DEPLOYMENT = Ref("guardrail_deployment", ("profile_id",))


def _refuse_preset(old: Old) -> None:
    if old["created_by"] is None or old["project_id"] is None:
        raise Left("a profile belongs to somebody, and to a project, here")


def _tenant_of_owner(old: Old) -> Any:
    owner = old.ref("created_by")
    return None if owner is None else owner["tenant_id"]


def _thresholds(old: Old) -> float:
    return 0.75 if old["severity_threshold"] is None else old["severity_threshold"]


MOVES = (
    Move(
        "guardrail_probe",
        GuardrailProbe,
        refs={"provider_id": Ref("provider"), "created_by": _USER},
        columns={"tenant_id": _tenant_of_owner, "tags": marks("tags")},
        natural=("uri",),
    ),
    Move(
        "guardrail_rule",
        GuardrailRule,
        refs={"probe_id": _PROBE, "created_by": _OWNER},
        columns={
            "tenant_id": of("probe_id", "tenant_id"),
            **{name: either(name, []) for name in ("examples", "guard_types", "modality_types")},
        },
        natural=("uri",),
    ),
    Move(
        "guardrail_profile",
        GuardrailProfile,
        order=OLDEST,
        refs={"project_id": Ref("project"), "created_by": _USER},
        tenant="project_id",
        columns={
            "severity_threshold": _thresholds,
            "guard_types": either("guard_types", ["input"]),
            "tags": marks("tags"),
        },
        check=_refuse_preset,
    ),
    Move(
        "guardrail_profile_probe",
        GuardrailProfileProbe,
        order=OLDEST,
        refs={"profile_id": _PROFILE, "probe_id": _PROBE},
        tenant="profile_id",
    ),
    Move(
        "guardrail_profile_rule",
        GuardrailProfileRule,
        order=OLDEST,
        refs={"profile_probe_id": Ref("guardrail_profile_probe", ("profile_id",)), "rule_id": Ref("guardrail_rule")},
        tenant="profile_probe_id",
        columns={"profile_id": of("profile_probe_id", "profile_id")},
    ),
    Move(
        "guardrail_deployment",
        GuardrailDeployment,
        order=OLDEST,
        refs={
            "profile_id": _PROFILE,
            "project_id": Ref("project"),
            "endpoint_id": Ref("endpoint"),
            "credential_id": Ref("proprietary_credential", optional=True),
            "created_by": _USER,
        },
        tenant="project_id",
    ),
    Move(
        "guardrail_rule_deployment",
        GuardrailRuleDeployment,
        order=NEWEST,
        refs={"guardrail_deployment_id": _DEPLOYMENT, "rule_id": Ref("guardrail_rule"), "endpoint_id": Ref("endpoint")},
        tenant="guardrail_deployment_id",
        columns={"profile_id": of("guardrail_deployment_id", "profile_id")},
        natural=("profile_id", "rule_id"),
    ),
    Move(
        "prompt",
        Prompt,
        order=OLDEST,
        refs={"project_id": Ref("project"), "created_by": _USER},
        tenant="project_id",
        columns={"bud_prompt_id": column("name"), "tags": marks("tags")},
        later={"default_version_id": "prompt_version"},
    ),
    Move(
        "prompt_version",
        PromptVersion,
        refs={
            "prompt_id": Ref("prompt"),
            "endpoint_id": Ref("endpoint"),
            "model_id": Ref("model"),
            "created_by": _USER,
        },
        tenant="prompt_id",
    ),
    Move("chat_settings", ChatSetting, refs={"user_id": _USER}, tenant="user_id"),
    Move(
        "chat_sessions",
        ChatSession,
        refs={"user_id": _USER, "chat_setting_id": Ref("chat_settings", optional=True)},
        tenant="user_id",
    ),
    Move(
        "messages",
        ChatMessage,
        refs={"chat_session_id": Ref("chat_sessions", ("user_id",))},
        tenant="chat_session_id",
        columns={"user_id": of("chat_session_id", "user_id")},
        later={"parent_message_id": "messages"},
    ),
    Move(
        "notes",
        ChatNote,
        refs={"user_id": _USER, "chat_session_id": Ref("chat_sessions")},
        tenant="user_id",
    ),
)
