"""The playground: people's own talks with deployments."""

from budapp.auth.services import AuthService
from budapp.commons.access import Authenticator
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.gateway_ops.reservations import Reservations
from budapp.integrations.inference import Inference
from budapp.playground_ops import models
from budapp.playground_ops.chat import Chats
from budapp.playground_ops.routes import chat_router, router
from budapp.playground_ops.services import Playground

domain = Domain(
    routers=(router, chat_router),
    tables=(models,),
    components=(
        Component(Inference, lambda _: Inference(), close=Inference.close),
        Component(Playground, lambda c: Playground(c[Database], c[AuthService], c[Authenticator])),
        Component(Chats, lambda c: Chats(c[Settings], c[Database], c[Inference], c[Playground], c[Reservations])),
    ),
)
