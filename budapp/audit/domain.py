"""The audit trail: what every change leaves, chained and sealed."""

from datetime import timedelta
from functools import partial

from fastapi import Request

from budapp.audit import models
from budapp.audit.denials import Denials
from budapp.audit.hash_chain import seal
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain, components_of
from budapp.commons.error_handlers import after_refusal
from budapp.commons.jobs import Job


async def _note_denial(request: Request, message: str) -> None:
    await components_of(request)[Denials].note(request, message)


domain = Domain(
    tables=(models,),
    components=(Component(Denials, lambda c: Denials(c[Database]), start=Denials.start, stop=Denials.stop),),
    jobs=lambda c: (Job("seal_audit_entries", timedelta(seconds=1), partial(seal, c[Database])),),
    hooks=(after_refusal.register(_note_denial),),
)
