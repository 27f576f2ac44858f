"""Trying a profile: what each probe says of a text, by the provider, by the deployed models, or by patterns."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import Database
from budapp.commons.errors import AppError
from budapp.guardrail_ops import profile_crud
from budapp.guardrail_ops.crud import active_probes, active_rules
from budapp.guardrail_ops.models import GuardrailProbe, GuardrailProfile, GuardrailRule
from budapp.guardrail_ops.profiles import reach_profile
from budapp.guardrail_ops.trial_schemas import Finding, TrialAnswer
from budapp.integrations.moderation import Moderators, Verdict
from budapp.provider_credential_ops.services import ProviderCredentials

_NOT_DEPLOYED = "The model of the rule is not deployed in the project"
_NO_CREDENTIAL = "No deployment of the profile has a credential of the provider"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A probe of the profile with its active rules, and what is needed to ask it."""

    probe: GuardrailProbe
    provider: str
    rules: Sequence[GuardrailRule]
    threshold: float
    thresholds: Mapping[UUID, float]
    models: Mapping[UUID, tuple[str, str]]
    key: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Trials:
    """Asks probes."""

    database: Database
    moderators: Moderators
    credentials: ProviderCredentials

    async def look_through(self, caller: Caller, profile_id: UUID, text: str) -> TrialAnswer:
        """Return what each probe of a profile says of a text; no session is held while they look.

        Raises:
            NotFound: no such profile, or out of reach.
        """
        async with self.database.read() as session:
            profile = await reach_profile(session, caller, profile_id)
            asked = await self._asked(session, profile)
        findings = await asyncio.gather(*(self._ask(one, text) for one in asked))
        flagged = any(one.outcome == "flagged" for one in findings)
        complete = all(one.outcome != "unchecked" for one in findings)
        return TrialAnswer(flagged=flagged, complete=complete, probes=list(findings))

    async def _asked(self, session: Any, profile: GuardrailProfile) -> list[_Asked]:
        chosen, said = await profile_crud.selections_of(session, profile)
        ids = [one.probe_id for one in chosen]
        probes = await active_probes(session, profile.tenant_id, ids)
        rules = await active_rules(session, profile.tenant_id, list(probes))
        providers = await profile_crud.provider_types(session, {probe.provider_id for probe in probes.values()})
        models = await profile_crud.served_rules(session, profile.id)
        credentials = await profile_crud.credentials_of(session, profile)
        found = []
        for one in chosen:
            probe = probes.get(one.probe_id)
            if probe is None:
                continue
            active = [rule for rule in rules if rule.probe_id == probe.id]
            active = [rule for rule in active if rule.id not in said or said[rule.id].status == "active"]
            threshold = one.severity_threshold if one.severity_threshold is not None else profile.severity_threshold
            own = {
                rule_id: row.severity_threshold for rule_id, row in said.items() if row.severity_threshold is not None
            }
            provider = providers[probe.provider_id]
            credential = credentials.get(provider)
            key = self.credentials.values_of(credential) if credential is not None else None
            found.append(_Asked(probe, provider, active, threshold, own, models, key))
        return found

    async def _ask(self, asked: _Asked, text: str) -> Finding:
        """Return what a probe says; one that can't be asked keeps the others from nothing."""
        try:
            hits, reason = await self._hits(asked, text)
        except AppError as error:
            hits, reason = {}, error.text
        flagged = [
            rule for rule in asked.rules if hits.get(rule.id, 0) >= self._threshold(asked, rule) and hits.get(rule.id)
        ]
        outcome: Any = "flagged" if flagged else "unchecked" if reason is not None else "passed"
        return Finding(
            probe_id=asked.probe.id,
            probe_name=asked.probe.name,
            outcome=outcome,
            score=round(max(hits.values()), 4) if hits else None,
            severity_threshold=asked.threshold,
            rules=[rule.name for rule in flagged],
            reason=reason,
        )

    @staticmethod
    def _threshold(asked: _Asked, rule: GuardrailRule) -> float:
        return asked.thresholds.get(rule.id, asked.threshold)

    async def _hits(self, asked: _Asked, text: str) -> tuple[dict[UUID, float], str | None]:
        """Return how sure each rule is, from 0 to 1, and why some could not be asked."""
        if asked.probe.provider_type == "cloud":
            if asked.key is None:
                return {}, _NO_CREDENTIAL
            scores = await self.moderators.of_provider(asked.provider, asked.key, text)
            return {rule.id: scores.get(_category(rule), 0.0) for rule in asked.rules}, None
        hits: dict[UUID, float] = {}
        reason = None
        for rule in asked.rules:
            if rule.model_uri is None:
                hits[rule.id] = 1.0 if _matches(rule, text) else 0.0
            elif rule.id in asked.models:
                url, name = asked.models[rule.id]
                hits[rule.id] = _certainty(
                    rule, await self.moderators.of_model(url, name, rule.scanner_type, _told(rule), text)
                )
            else:
                reason = _NOT_DEPLOYED
        return hits, reason


def _category(rule: GuardrailRule) -> str:
    return rule.uri.rpartition(".")[2]


def _matches(rule: GuardrailRule, text: str) -> bool:
    patterns = (rule.model_config_json or {}).get("patterns") or []
    return any(re.search(pattern, text) is not None for pattern in patterns)


def _told(rule: GuardrailRule) -> str:
    """Return what a model that judges by a policy is told."""
    return json.dumps((rule.model_config_json or {}).get("policy") or {}, ensure_ascii=False)


def _certainty(rule: GuardrailRule, verdict: Verdict) -> float:
    """Return how sure the model is that the text holds what the rule looks for."""
    if verdict.violates is not None:
        return 1.0 if verdict.violates else 0.0
    heads = (rule.model_config_json or {}).get("head_mappings") or []
    labels = {str(label).lower() for head in heads for label in head.get("target_labels") or ()}
    return max((score for label, score in verdict.labels.items() if label.lower() in labels), default=0.0)
