"""What the service has below every domain: stores, peers, periodic jobs, health checks."""

from datetime import timedelta
from functools import partial

from redis.asyncio import Redis

from budapp.commons import health, idempotency, isolation, jobs
from budapp.commons.config import Settings
from budapp.commons.database import Database, WriteSession
from budapp.commons.domain import Component, Components, Domain, HealthCheck
from budapp.commons.encryption import Encryption
from budapp.commons.health import HealthChecks
from budapp.commons.jobs import Job, Jobs
from budapp.commons.rate_limits import RateLimiter
from budapp.commons.vitals import Vitals
from budapp.integrations.configuration import ConfigurationFollower
from budapp.integrations.dapr import DaprClient
from budapp.integrations.identity_brokers import CALLBACK_PATH, Brokering
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.one_time import OneTimeValues
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.recipients import Recipients
from budapp.integrations.registration import Registration
from budapp.integrations.shared_calls import SharedCalls
from budapp.integrations.storage import Storage
from budapp.integrations.valkey import connect_valkey, valkey_up


def _health_checks(c: Components) -> dict[str, HealthCheck]:
    return {
        "postgresql": HealthCheck(c[Database].healthy, vital=True),
        "valkey": HealthCheck(lambda: valkey_up(c[Redis])),
        "keycloak": HealthCheck(c[Keycloak].healthy),
        "dapr": HealthCheck(c[DaprClient].healthy),
        "storage": HealthCheck(c[Storage].healthy),
    }


async def _ensure_buckets(_session: WriteSession, c: Components) -> None:
    settings = c[Settings]
    for bucket in (settings.minio_bucket, settings.minio_model_bucket, settings.minio_dataset_bucket):
        await c[Storage].ensure_bucket(bucket)


domain = Domain(
    routers=(health.router,),
    tables=(idempotency, isolation, jobs),
    components=(
        Component(Database, lambda c: Database(c[Settings], c.hooks), close=Database.dispose),
        Component(Vitals, lambda c: Vitals(c[Database]), start=Vitals.start, stop=Vitals.stop),
        Component(Encryption, lambda c: c[Database].encryption),
        Component(Redis, lambda c: connect_valkey(c[Settings]), close=Redis.aclose),
        Component(Keycloak, lambda c: Keycloak(c[Settings]), close=Keycloak.close),
        Component(DaprClient, lambda c: DaprClient(c[Settings]), close=DaprClient.close),
        Component(SharedCalls, lambda c: SharedCalls(c[DaprClient]), stop=SharedCalls.stop),
        Component(OneTimeValues, lambda c: OneTimeValues(c[DaprClient], c[Encryption])),
        Component(Registration, lambda c: Registration(c[Settings], c[DaprClient])),
        Component(
            ConfigurationFollower,
            lambda c: ConfigurationFollower(c[Settings], c[DaprClient]),
            start=ConfigurationFollower.start,
            stop=ConfigurationFollower.stop,
        ),
        Component(Storage, lambda c: Storage(c[Settings]), close=Storage.close),
        Component(Outgoing, lambda c: Outgoing(c[Settings].outgoing_networks)),
        Component(Recipients, lambda c: Recipients(c[Settings].gateway_public_key, c[Settings].browser_public_key)),
        Component(RateLimiter, lambda c: RateLimiter(c[Redis])),
        Component(Brokering, lambda c: Brokering(c[Keycloak], c[Settings].callback_base + CALLBACK_PATH)),
        Component(
            HealthChecks, lambda c: HealthChecks(check for one in c.domains for check in one.health_checks(c).items())
        ),
        Component(
            Jobs,
            lambda c: Jobs(c[Database], [job for one in c.domains for job in one.jobs(c)]),
            start=Jobs.start,
            stop=Jobs.stop,
        ),
    ),
    jobs=lambda c: (
        Job("purge_idempotency_records", timedelta(hours=1), partial(idempotency.purge_records, c[Database])),
        Job("register_metadata", timedelta(minutes=1), c[Registration].register),
    ),
    seeds=(_ensure_buckets,),
    health_checks=_health_checks,
)
