"""What providers of models know a tenant by."""

from budapp.commons.domain import Component, Domain
from budapp.commons.encryption import Encryption
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.recipients import Recipients
from budapp.provider_credential_ops import models
from budapp.provider_credential_ops.routes import router
from budapp.provider_credential_ops.services import ProviderCredentials

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(ProviderCredentials, lambda c: ProviderCredentials(c[Encryption], c[Recipients], c[Outgoing])),
    ),
)
