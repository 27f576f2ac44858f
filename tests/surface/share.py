"""What a domain says of itself to the tests that walk all routes: `share` in `tests/<its folder>/surface.py`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from fastapi import FastAPI

from budapp.commons.database import Database, WriteSession
from budapp.commons.domain import components_of
from budapp.project_ops.models import ProjectType
from tests.cast import Person, Realms

if TYPE_CHECKING:
    from tests.surface.scene import Extras, Scene

T = TypeVar("T")

Things = dict[str, str]
"""Path parameter, or another name that requests use → id (or secret text)."""


@dataclass(frozen=True)
class SeedContext:
    """What a share puts its rows in with.

    Attributes:
        realm: 0 for the tenant whose people call, 1 for the other one.
        owner: who is said to have made the rows.
        members: who takes part in each project, with their scopes there.
        things: what the domains below, and this one, have put in so far.
    """

    session: WriteSession
    realm: int
    owner: Person
    members: list[tuple[UUID, Sequence[str]]]
    extras: "Extras"
    things: Things
    project_type: ProjectType = ProjectType.ADMIN_APP

    @property
    def tenant_id(self) -> UUID:
        return self.owner.tenant_id

    @property
    def owned(self) -> dict[str, UUID]:
        """The columns that say whose a row is."""
        return {"tenant_id": self.tenant_id, "created_by": self.owner.id}

    def id_of(self, thing: str) -> UUID:
        return UUID(self.things[thing])

    async def add(self, *rows: Any) -> None:
        """Put the rows in, one after the other: each may refer to those before it."""
        for row in rows:
            self.session.add(row)
            await self.session.flush()


Seed = Callable[[SeedContext], Awaitable[Things]]


@dataclass(frozen=True)
class RequestContext:
    """What a preparation may use; `person` is who calls, if anybody."""

    app: FastAPI
    realms: Realms
    scene: "Scene"
    person: Person | None
    things: Things

    @property
    def database(self) -> Database:
        return self.component(Database)

    def component(self, kind: type[T]) -> T:
        return components_of(self.app)[kind]

    @property
    def is_of_the_tenant(self) -> bool:
        """Whether the caller is of the tenant that the things belong to."""
        return self.person is not None and str(self.person.tenant_id) == self.things["tenant_id"]


@dataclass(frozen=True)
class Valid:
    """What a valid request to a route carries.

    Args:
        body: from the things of a tenant to the JSON body.
        query: likewise, to the query parameters.
        path: parameter → the thing that stands for it, where it is not the one of that name.
        prepare: what must be so beforehand.
        own_session: the caller signs in anew for it, as it ends the session.
        files: field → name and content, for a form in place of a JSON body.
        form: from the things to the fields of such a form, without files.
    """

    body: Callable[[Things], Any] | None = None
    query: Callable[[Things], dict[str, Any]] | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[RequestContext], Awaitable[None]] | None = None
    own_session: bool = False
    files: Mapping[str, tuple[str | None, bytes]] | None = None
    form: Callable[[Things], Mapping[str, str]] | None = None


@dataclass(frozen=True)
class Audited:
    """The entry that a route leaves in the audit trail; `request` is what leaves it, if not the route's valid one."""

    action: str
    resource_type: str
    request: Valid | None = None


@dataclass(frozen=True, eq=False)
class Share:
    """What one domain brings.

    Args:
        domain: its package.
        seed: puts one tenant's rows in, and returns what requests call them. The row's id goes under the name of the
            path parameter that takes it: every route with that parameter is then asked with it, and with foreign ones.
        seed_project: likewise, for what lies in a project: one of each tenant, and one that only a client reaches.
        requests: operation (`METHOD /path`) → its valid request. A route that takes nothing but ids needs none.
        audited: operation that changes something → the entry that it leaves.
        changes_nothing: any other operation than GET → why it leaves no entry.
    """

    domain: str
    seed: Seed | None = None
    seed_project: Seed | None = None
    requests: Mapping[str, Valid] = field(default_factory=dict)
    audited: Mapping[str, Audited] = field(default_factory=dict)
    changes_nothing: Mapping[str, str] = field(default_factory=dict)
