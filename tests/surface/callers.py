"""Everyone who may try a route: one row of the table each, one column of the access matrix each."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.cast import Person
from tests.surface.scene import Scene


@dataclass(frozen=True)
class CallerKind:
    """Who calls.

    Args:
        person: who it is, if anybody is signed in.
        expired: the access token has run out.
        sidecar: it is our own sidecar.
    """

    person: Callable[[Scene], Person] | None = None
    expired: bool = False
    sidecar: bool = False


CALLERS: dict[str, CallerKind] = {
    "nobody": CallerKind(),
    "expired": CallerKind(lambda scene: scene.cast.admin, expired=True),
    "other_admin": CallerKind(lambda scene: scene.cast.other_admin),  # super administrator of another tenant
    "invited": CallerKind(lambda scene: scene.cast.invited),  # has not set a password yet
    "outsider": CallerKind(lambda scene: scene.cast.tester),  # of the tenant, in no project
    "client": CallerKind(lambda scene: scene.cast.client),  # a customer's user, in a project of their own
    "reader": CallerKind(lambda scene: scene.reader),  # in the project, may look only
    "member": CallerKind(lambda scene: scene.cast.developer),  # in the project, may do everything there
    "admin": CallerKind(lambda scene: scene.cast.manager),
    "super_admin": CallerKind(lambda scene: scene.cast.admin),
    "sidecar": CallerKind(sidecar=True),
}
