"""Bringing the database of the service in use before into this one."""

from budapp.commons.domain import Domain
from budapp.legacy_ops import models
from budapp.legacy_ops.commands import app as commands

domain = Domain(tables=(models,), commands={"upgrade-from-legacy": commands})
