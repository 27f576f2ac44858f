"""Small defects that must not go unnoticed: where each is planted, and which tests are to find it."""

from dataclasses import dataclass

ACCESS = "budapp/commons/access.py"
TOKENS = "budapp/auth/tokens.py"
SIGN_ON = "budapp/auth/single_sign_on.py"
SIGNING = "budapp/commons/signing.py"
CALLERS = "budapp/user_ops/callers.py"
CRUD = "budapp/commons/crud.py"
PAGING = "budapp/commons/paging.py"
PAGES = "budapp/commons/pages.py"
PENDING = "budapp/commons/pending.py"
ATTEMPTS = "budapp/workflow_ops/attempts.py"
CALLS = "budapp/workflow_ops/peer_calls.py"
STEPS = "budapp/workflow_ops/step_list.py"
FLOWS = "budapp/workflow_ops/crud.py"
ENGINE = "budapp/workflow_ops/services.py"
RELAY = "budapp/events/relay.py"
ENTRIES = "budapp/gateway_ops/entries.py"
HUB = "budapp/live_ops/hub.py"
REACH = "budapp/live_ops/reach.py"
CONSENTS = "budapp/connector_ops/consents.py"
ACCOUNTS = "budapp/service_account_ops/services.py"
SESSIONS = "budapp/session_ops/services.py"
SENDER = "budapp/webhook_ops/sender.py"
LOOKING = "budapp/metric_ops/looking.py"
DRAFTS = "budapp/prompt_ops/drafts.py"
EXECUTIONS = "budapp/pipeline_ops/executions.py"
LIMITS = "budapp/billing_ops/limits.py"
ROOM = "budapp/gateway_ops/reservations.py"
ONCE = "budapp/commons/idempotency.py"
SCORES = "budapp/experiment_ops/score_crud.py"
INTERVALS = "budapp/experiment_ops/interval_crud.py"
RIGHTS = "budapp/user_ops/rights.py"
USERS = "budapp/user_ops/services.py"
HOLDERS = "budapp/api_key_ops/holders.py"
HOOKS = "budapp/webhook_ops/services.py"
OPENERS = "budapp/gateway_ops/tokens.py"

_ROUTES = ("tests/test_routes.py",)
_TOKENS = ("tests/auth/test_tokens.py",)
_SIGN_ON = ("tests/oauth/test_single_sign_on.py",)
_SIGNING = ("tests/audit/test_signing.py",)
_CALLERS = ("tests/users/test_callers.py",)
_PAGING = ("tests/commons/test_paging.py",)
_PENDING = ("tests/commons/test_pending.py",)
_GATEWAY = ("tests/gateway/test_entries.py", "tests/gateway/test_tables.py")
_BUDGETS = ("tests/gateway/test_budgets.py",)
_LOCAL = ("tests/workflows/test_local_model.py",)
_ORDER = ("tests/workflows/test_any_order.py",)
_STREAMS = ("tests/live/test_streams.py",)
_REACH = ("tests/live/test_reach.py",)
_CONSENTS = ("tests/connectors/test_consents.py",)
_ACCOUNTS = ("tests/service_accounts/test_service_accounts.py", "tests/service_accounts/test_keys_at_budapp.py")
_SESSIONS = ("tests/sessions/test_sessions.py",)
_WEBHOOKS = ("tests/webhooks/test_webhooks.py",)
_METRICS = ("tests/metrics/test_scoping.py", "tests/metrics/test_metrics.py")
_PROMPTS = ("tests/prompts/test_prompts.py", "tests/prompts/test_versions.py")
_NOTIFICATIONS = ("tests/notifications/test_notifications.py",)
_LIMITS = ("tests/billing", "tests/gateway/test_tables.py")
_EXECUTIONS = ("tests/pipelines/test_executions.py",)
_ROOM = ("tests/playground/test_quotas.py",)
_ONCE = ("tests/test_idempotency.py",)
_SCORES = ("tests/evaluations/test_scores.py",)
_RIGHTS = ("tests/permissions", "tests/roles")
_MIRROR = ("tests/permissions/test_mirror.py",)
_KEYS = ("tests/api_keys/test_api_keys.py",)
_GUARDED = ("tests/guardrails/test_gateway.py",)
_OPENERS = ("tests/gateway/test_tokens.py",)
_SEEDING = ("tests/users/test_seeding.py",)


@dataclass(frozen=True)
class Mutant:
    """One text of one file, which is there once, in place of another; the tests are pytest's arguments."""

    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """What is changed, in one line."""
        return f"{self.file}: {' '.join(self.before.split())[:70]}"


MUTANTS = (
    # access and tenancy
    Mutant(ACCESS, "if self.scope not in caller.scopes:", "if not caller.scopes:", _ROUTES),
    Mutant(ACCESS, 'if caller.status != "active":', 'if caller.status == "deleted":', _ROUTES),
    Mutant(ACCESS, "    return any(matches)\n", "    return bool(matches)\n", _ROUTES),
    Mutant(
        CRUD,
        "conditions = [self.model.tenant_id == self.caller.tenant_id]",
        "conditions: list[Any] = []",
        ("tests/surface/test_ids.py", "-k", "datasets"),
    ),
    Mutant(
        CRUD,
        "conditions.append(not_deleted(self.model))",
        "conditions.append(self.model.id.is_not(None))",
        ("tests/projects/test_delete.py",),
    ),
    # tokens and single sign-on
    Mutant(TOKENS, '"require": ["exp", "iat", "iss", "sub", "aud"]', '"verify_aud": False', _TOKENS),
    Mutant(TOKENS, 'claims.get("azp") != client_id or not isinstance', "not isinstance", _TOKENS),
    Mutant(TOKENS, 'if claims.get("typ") != "Bearer":', 'if claims.get("typ") == "Refresh":', _TOKENS),
    Mutant(TOKENS, "_CLOCK_SKEW_SECONDS = 5", "_CLOCK_SKEW_SECONDS = 3600", _TOKENS),
    Mutant(SIGN_ON, "if not right_nonce or claims.provider", "if claims.provider", _SIGN_ON),
    Mutant(SIGN_ON, "if not _same_browser(under_way, back.binding):", "if back.binding is None:", _SIGN_ON),
    Mutant(SIGN_ON, "if not claims.email or not claims.email_verified:", "if not claims.email:", _SIGN_ON),
    Mutant(SIGN_ON, "if user.role == UserRole.SUPER_ADMIN:", "if user.role == UserRole.DEVOPS:", _SIGN_ON),
    # the audit trail
    Mutant(SIGNING, '    "previous_state",\n', "", _SIGNING),
    Mutant(SIGNING, '    "actioned_by",\n', "", _SIGNING),
    Mutant(SIGNING, '    "action",\n', "", _SIGNING),
    Mutant(SIGNING, '    "resource_type",\n', "", _SIGNING),
    Mutant(SIGNING, '    "resource_id",\n', "", _SIGNING),
    Mutant(SIGNING, 'link["position"], ', "", _SIGNING),
    Mutant(SIGNING, "return key_id in self._keys and hmac", "return key_id not in self._keys or hmac", _SIGNING),
    # what replicas remember
    Mutant(CALLERS, 'self._drop_tenant if message["channel"] == _TENANTS else self._drop', "self._drop", _CALLERS),
    Mutant(CALLERS, "max(*forgotten, self._all_forgotten_at)", "self._all_forgotten_at", _CALLERS),
    Mutant(CALLERS, "            self.forget_all()\n        elif", "            pass\n        elif", _CALLERS),
    # lists
    Mutant(
        PAGING, "self.column < value if self.descending else", "self.column <= value if self.descending else", _PAGING
    ),
    Mutant(PAGING, "return (self.page - 1) * self.limit", "return self.page * self.limit", _PAGING),
    Mutant(PAGES, "more = len(found) > paging.limit and rows", "more = len(found) >= paging.limit and rows", _PAGING),
    # what a unit of work leaves
    Mutant(PENDING, "    if session.in_nested_transaction():\n        return\n", "", _PENDING),
    Mutant(PENDING, "    elif previous.nested:", "    elif previous.nested and previous.parent is None:", _PENDING),
    # workflows
    Mutant(
        ATTEMPTS,
        "        await self.cancel_at_peer()\n\n    async def cancel(self)",
        "\n    async def cancel(self)",
        ("tests/deployments/test_going_wrong.py", "-k", "silent"),
    ),
    Mutant(
        ATTEMPTS,
        "        self._put_off(None)\n",
        "",
        ("tests/workflows/test_quantization.py", "-k", "gives_the_service_more_time"),
    ),
    Mutant(ATTEMPTS, "and found.attempt.correlation_id == correlation_id else None", "else None", _LOCAL),
    Mutant(
        CALLS,
        "                await found.cancel_at_peer()\n",
        "                pass\n",
        ("tests/workflows/test_quantization.py", "-k", "after_the_cancellation"),
    ),
    Mutant(CALLS, " or lease_of(found.attempt) != pending.lease:", ":", _LOCAL),
    Mutant(STEPS, '_rank(payload) > _rank(step["payload"])', "_rank(payload) > 0", _ORDER),
    Mutant(
        FLOWS,
        "select(Workflow).where(Workflow.id == workflow_id).with_for_update()",
        "select(Workflow).where(Workflow.id == workflow_id)",
        _LOCAL,
    ),
    Mutant(
        ENGINE,
        "definition.type or workflow.created_by != caller.user_id:",
        "definition.type:",
        ("tests/workflows/test_local_model.py", "-k", "somebody_elses"),
    ),
    Mutant(
        ENGINE,
        'in crud.LIVE:\n            raise BadRequest("The workflow is still running")',
        'in ():\n            raise BadRequest("The workflow is still running")',
        ("tests/workflows/test_local_model.py", "-k", "not_marked_as_completed"),
    ),
    # events out and in
    Mutant(
        "budapp/events/outbox.py",
        "    await session.flush()\n    message.id = uuid7()",
        "    message.id = uuid7()",
        ("tests/events/test_outbox_order.py",),
    ),
    Mutant(RELAY, "error.peer_status == 404", "error.peer_status == 410", ("tests/events/test_relay.py",)),
    Mutant(
        RELAY,
        "MAX_REFUSALS if isinstance(error, PeerRefused | DecryptionError) else MAX_ATTEMPTS",
        "MAX_ATTEMPTS",
        ("tests/events/test_relay.py",),
    ),
    Mutant(RELAY, ", key=claim.aggregate)", ")", ("tests/events/kafka",)),
    Mutant(
        "budapp/events/inbox.py",
        "if not await crud.record_event(session, _identity(event)):",
        "if await crud.record_event(session, _identity(event)) is None:",
        ("tests/events/test_inbox.py",),
    ),
    # what the gateway is told
    Mutant(ENTRIES, "if ends is None or ends > at:", "if ends is None or ends != at:", _GATEWAY),
    Mutant(ENTRIES, "if not key.may_call:", "if key.hashed_key is None:", _GATEWAY),
    Mutant(
        ENTRIES,
        "return in_endpoints and key.opens_models(models)",
        "return in_endpoints or key.opens_models(models)",
        _GATEWAY,
    ),
    Mutant(
        "budapp/gateway_ops/rows.py",
        "(self.model_ids is None or self.model_ids >= wanted) and self.used_up_models",
        "(self.model_ids is None or self.model_ids >= wanted) or self.used_up_models",
        _GATEWAY,
    ),
    Mutant("budapp/api_key_ops/limits.py", "Decimal(0)) >= Decimal(budget)", "Decimal(0)) > Decimal(budget)", _BUDGETS),
    Mutant("budapp/api_key_ops/limits.py", "Decimal(0)) >= key.max_budget", "Decimal(0)) > key.max_budget", _BUDGETS),
    Mutant("budapp/gateway_ops/spending.py", "max(0, count - known)", "count - known", _BUDGETS),
    Mutant("budapp/gateway_ops/spending.py", "if before == after:", "if before != after:", _BUDGETS),
    Mutant("budapp/gateway_ops/crud.py", "may_call=may_call and not budgets.whole", "may_call=may_call", _BUDGETS),
    Mutant(ENTRIES, "if one.of_platform and one.is_published and", "if one.is_published and", _GATEWAY),
    Mutant(ENTRIES, "if deployment.status == _RUNNING and reason_against", "if reason_against", _GATEWAY),
    # money
    Mutant(
        "budapp/billing_ops/cycles.py",
        "anchor = billing.billing_anchor or billing.billing_period_start",
        "anchor = billing.billing_period_end",
        ("tests/billing/test_billing.py",),
    ),
    Mutant(
        "budapp/pricing_ops/services.py",
        "if not endpoint.is_published:",
        "if endpoint.name is None:",
        ("tests/publication",),
    ),
    Mutant(
        "budapp/pricing_ops/services.py",
        "if PriceInput.model_validate(before) == data:",
        "if before.created_by is None:",
        ("tests/publication",),
    ),
    # files, catalogue, answers
    Mutant(
        "budapp/model_ops/license_files.py",
        "if expires < time.time():",
        "if expires < 0:",
        ("tests/models", "-k", "license or link"),
    ),
    Mutant(
        "budapp/dataset_ops/files.py",
        "await self._put_together(file, data) == file.size",
        "await self._put_together(file, data) <= file.size",
        ("tests/datasets/test_files.py",),
    ),
    Mutant(
        "budapp/dataset_ops/files.py",
        "file.object_name, self.url_lifetime, file.file_name",
        "file.object_name, timedelta(days=7), file.file_name",
        ("tests/datasets/test_files.py",),
    ),
    Mutant(
        "budapp/endpoint_ops/crud.py",
        "and_(same_text(Model.uri, CloudModel.uri), CloudModel.source == Model.source)",
        "and_(same_text(Model.uri, CloudModel.uri))",
        ("tests/models/test_cloud_catalog.py", "tests/endpoints"),
    ),
    Mutant(
        "budapp/main.py", '["Idempotent-Replayed", "Retry-After"', '["Retry-After"', ("tests/commons/test_http.py",)
    ),
    # live events
    Mutant(HUB, "if event.id <= self.position or self.lost:", "if self.lost:", _STREAMS),
    Mutant(HUB, "if len(self.events) >= MAX_BUFFERED:", "if len(self.events) >= MAX_BUFFERED * 1000:", _STREAMS),
    Mutant(HUB, "if stream.caller.session_id in ended or (", "if (", _STREAMS),
    Mutant(HUB, "first <= known <= max(last, tenant.position)", "known <= max(last, tenant.position)", _STREAMS),
    Mutant(REACH, 'if caller is None or caller.status != "active":', "if caller is None:", _REACH),
    Mutant(REACH, "audience.or_scope is not None and caller.may(audience.or_scope)", "True", _REACH),
    Mutant(REACH, "return audience.scope is None or caller.may(audience.scope)", "return True", _REACH),
    # consent to connectors
    Mutant(
        CONSENTS,
        "(pending.user_id, pending.session_id) != (caller.user_id, caller.session_id)",
        "pending.user_id != caller.user_id",
        _CONSENTS,
    ),
    Mutant(CONSENTS, "(parts.scheme, parts.netloc, parts.path) in known and parse_qs", "parse_qs", _CONSENTS),
    Mutant(CONSENTS, ' and parse_qs(parts.query).get("state") == [begun.state]', "", _CONSENTS),
    Mutant(
        CONSENTS,
        "if gateway_ids is not None and pending.gateway_id not in gateway_ids:",
        "if False:",
        ("tests/connectors",),
    ),
    # service accounts and sessions
    Mutant(ACCOUNTS, "await require_scopes(session, caller, project_id, scopes)", "pass", _ACCOUNTS),
    Mutant(
        ACCOUNTS, "    refuse_more_than_own(caller, held_by(user))\n    return account", "    return account", _ACCOUNTS
    ),
    Mutant(ACCOUNTS, "if key.user_id != account_id:", "if False:", _ACCOUNTS),
    Mutant(ACCOUNTS, "    await api_keys.delete_keys_of(session, account_id)\n", "", _ACCOUNTS),
    Mutant(SESSIONS, "    callers.forget_after_commit(session, user.id)\n    return len", "    return len", _SESSIONS),
    Mutant(SESSIONS, "if only in {None, known} and known != but)", "if only in {None, known})", _SESSIONS),
    # rights
    Mutant(RIGHTS, "    refuse_more_than_own(caller, given)\n", "", _RIGHTS),
    Mutant(RIGHTS, "    refuse_more_than_own(caller, held_by(user))\n", "", _RIGHTS),
    # webhooks, metrics, prompts, notifications, pipelines, quotas
    Mutant(SENDER, "                webhook.failing_since = None\n", "                pass\n", _WEBHOOKS),
    Mutant(SENDER, "if error.status == _GONE or (given_up", "if (given_up", _WEBHOOKS),
    Mutant(LOOKING, "if not reached.issuperset(projects or ()):", "if False:", _METRICS),
    Mutant(LOOKING, "wanted.intersection_update(projects)", "wanted.update(projects)", _METRICS),
    Mutant("budapp/metric_ops/crud.py", "and_(*mine, Endpoint.is_published)", "and_(*mine)", _METRICS),
    Mutant(DRAFTS, "if prompt is None and await crud.is_live(session, called):", "if False:", _PROMPTS),
    Mutant(
        DRAFTS,
        "    await MANAGING.check(session, caller, endpoint.project_id)\n    return endpoint",
        "    return endpoint",
        ("tests/prompts",),
    ),
    Mutant(
        "budapp/notification_ops/services.py",
        "return await is_reached(session, caller, message.project_id, scope)",
        "return True",
        _NOTIFICATIONS,
    ),
    Mutant("budapp/notification_ops/services.py", "        if row.mail:", "        if row.type:", _NOTIFICATIONS),
    Mutant(
        EXECUTIONS,
        " if query.workflow_id or one.initiator == str(caller.user_id)]",
        "]",
        _EXECUTIONS,
    ),
    Mutant(EXECUTIONS, "if query.initiator not in {None, str(caller.user_id)}:", "if False:", _EXECUTIONS),
    Mutant(LIMITS, "tokens >= standing.tokens_quota", "tokens > standing.tokens_quota", _LIMITS),
    Mutant(LIMITS, "cost >= standing.cost_quota", "cost > standing.cost_quota", _LIMITS),
    Mutant(ROOM, "redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', time[1])\n", "", _ROOM),
    Mutant(ROOM, "cjson.encode(limit), 'KEEPTTL')", "cjson.encode(limit))", _ROOM),
    Mutant(ROOM, "limit.tokens_used + taken + tonumber(ARGV[2])", "limit.tokens_used + tonumber(ARGV[2])", _ROOM),
    # accounts, and what is taken back
    Mutant(
        "budapp/user_ops/accounts.py",
        "if orphan is None or await crud.find_by_auth_id(session, orphan):",
        "if orphan is None:",
        ("tests/auth/test_register.py",),
    ),
    Mutant(
        "budapp/auth/password_resets.py",
        "user)\n        self._callers.forget_after_commit(session, user.id)",
        "user)",
        ("tests/auth/test_password_resets.py",),
    ),
    Mutant(
        "budapp/auth/services.py",
        "await self._keycloak.end_session(caller.realm, caller.session_id)",
        "pass",
        ("tests/auth/test_sessions.py",),
    ),
    Mutant(
        USERS,
        "enabled=not enabled)\n\n    after_rollback(session, take_back)",
        "enabled=not enabled)",
        _MIRROR,
    ),
    Mutant(
        USERS,
        "before, list(UserRole))\n\n    after_rollback(session, take_back)",
        "before, list(UserRole))",
        _MIRROR,
    ),
    Mutant(
        "budapp/user_ops/crud.py", "among(User.id, user_ids), ADMITTED,", "among(User.id, user_ids),", _NOTIFICATIONS
    ),
    Mutant(
        "budapp/oauth_ops/services.py",
        " or not caller.scopes.issuperset(ROLE_SCOPES[UserRole.ADMIN])",
        "",
        ("tests/oauth/test_single_sign_on.py", "-k", "hold_all"),
    ),
    Mutant("budapp/project_ops/members.py", "{MANAGING.scope, *given}", "{MANAGING.scope}", _RIGHTS),
    # what seeding again leaves alone
    Mutant(
        "budapp/user_ops/accounts.py",
        "        user.auth_id = auth_id\n    session.add(user)",
        "        user.auth_id = auth_id\n    user.role = UserRole.SUPER_ADMIN\n    session.add(user)",
        _SEEDING,
    ),
    Mutant(
        "budapp/user_ops/accounts.py",
        "    session.add(user)\n    await session.flush()\n    return user",
        '    session.add(user)\n    user.status = "active"\n    await session.flush()\n    return user',
        _SEEDING,
    ),
    Mutant("budapp/provider_ops/seeds.py", "is None or not await has_providers(session)", "is None or True", _SEEDING),
    # keys, webhooks, deliveries, events, deadlines
    Mutant(
        "budapp/api_key_ops/services.py",
        "_earlier(now() + timedelta(seconds=grace_seconds), key.expiry) if graceful",
        "now() + timedelta(seconds=grace_seconds) if graceful",
        _KEYS,
    ),
    Mutant(
        HOLDERS,
        "key.previous_expires_at is not None and key.previous_expires_at > now()",
        "key.previous_expires_at is not None",
        _KEYS,
    ),
    Mutant(
        HOOKS,
        "        await _check_address(outgoing, str(data.url))\n    webhook",
        "        pass\n    webhook",
        _WEBHOOKS,
    ),
    Mutant(HOOKS, 'row.object_type not in (_PERSONAL, "user")', "row.object_type != _PERSONAL", _WEBHOOKS),
    Mutant(
        "budapp/audit_ops/delivery.py",
        "if delivery is None or (delivery.position, delivery.url) != (sent.position, sent.url):",
        "if delivery is None:",
        ("tests/audit/test_delivery_and_retention.py",),
    ),
    Mutant(
        "budapp/events/crud.py",
        "handled = (InboxMessage.dead_at.is_(None), InboxMessage.next_attempt_at.is_(None))",
        "handled = (InboxMessage.dead_at.is_(None),)",
        ("tests/events/test_relay.py",),
    ),
    Mutant(
        "budapp/commons/deadlines.py",
        "                self.timeout.reschedule(None)\n",
        "                pass\n",
        ("tests/commons/test_deadlines.py",),
    ),
    # what comes again, and scores
    Mutant(ONCE, "if response.status_code >= 400 or not", "if not", _ONCE),
    Mutant(ONCE, "case((expired, null()), else_=record.resource_id)", "record.resource_id", _ONCE),
    Mutant(SCORES, "                EvaluationRun.status == RunStatus.COMPLETED,\n", "", _SCORES),
    Mutant(
        SCORES,
        "case((func.count(scored.c.samples) == func.count(), func.min(scored.c.samples)), else_=null())",
        "func.min(scored.c.samples)",
        _SCORES,
    ),
    Mutant(SCORES, "(cells.c.dataset_id, cells.c.metric_name)", "(cells.c.dataset_id,)", _SCORES),
    # what leads inside, what waits in clear, and what is left behind
    Mutant(
        "budapp/connector_ops/services.py",
        '            await self._checks.addresses([data.url], "url")\n',
        "            pass\n",
        ("tests/connectors/test_gateways.py",),
    ),
    Mutant(
        "budapp/integrations/moderation.py",
        "if ours else self.outgoing.client(seconds=_SECONDS)",
        "if ours or headers else self.outgoing.client(seconds=_SECONDS)",
        ("tests/guardrails/test_gateway.py",),
    ),
    Mutant(
        "budapp/cluster_ops/workflows.py",
        'aggregate=f"cluster-registration:{run.workflow.id}", secret=True)',
        'aggregate=f"cluster-registration:{run.workflow.id}")',
        ("tests/clusters/test_onboarding.py", "-k", "sealed"),
    ),
    Mutant(OPENERS, "opens_published=lives and wanted is None", "opens_published=wanted is None", _OPENERS),
    Mutant("budapp/gateway_ops/token_crud.py", "~Project.benchmark, ", "", _OPENERS),
    Mutant(
        "budapp/dataset_ops/files.py",
        "        after_rollback(session, take_back)\n        file.version_id, file.upload_id",
        "        file.version_id, file.upload_id",
        ("tests/datasets/test_files.py",),
    ),
    Mutant(
        "budapp/connector_ops/services.py",
        "        after_rollback(session, partial(self._foundry.forget, token, path))\n",
        "",
        ("tests/connectors/test_prompts.py",),
    ),
    Mutant(
        "budapp/deployment_ops/workflows.py",
        'if await crud.lock_project(session, workflow.tenant_id, UUID(data["project_id"])) is None:',
        'if data["project_id"] is None:',
        ("tests/deployments/test_going_wrong.py", "-k", "project_that_is_gone"),
    ),
    # what only reading found
    Mutant(
        "budapp/workflow_ops/services.py",
        "if not (found.definition.in_project or caller.may(found.definition.scope)):",
        "if False:",
        (*_LOCAL, "-k", "no_longer_retries"),
    ),
    Mutant(
        "budapp/model_ops/editing.py",
        "{**unknown, **facts}.items()",
        "facts.items()",
        ("tests/workflows/test_license_faqs.py",),
    ),
    Mutant("budapp/gateway_ops/guardrails.py", "if len(keyed) > 1:", "if len(keyed) > 5:", _GUARDED),
    Mutant("budapp/gateway_ops/guardrail_crud.py", '    "endpoint": _of_endpoints,\n', "", _GUARDED),
    Mutant(
        "budapp/gateway_ops/spending.py",
        "filter(None, (key.hashed_key, key.previous_hashed_key))",
        "(key.hashed_key,)",
        (*_BUDGETS, "-k", "rotation"),
    ),
    Mutant("budapp/metric_ops/gateway.py", "items[: query.limit]", "items", _METRICS),
    Mutant(
        "budapp/integrations/inference.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/playground/test_playground.py",),
    ),
)
