"""Which rows have changed that the gateway's tables follow from."""

from budapp.commons.domain import Domain
from budapp.gateway_changes import models

domain = Domain(tables=(models,))
