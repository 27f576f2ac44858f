"""How the service is, for those who run it."""

from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.health import HealthChecks
from budapp.gateway_ops.services import GatewayTables
from budapp.status_ops.figures import Figures
from budapp.status_ops.routes import router
from budapp.status_ops.services import StatusPage

domain = Domain(
    routers=(router,),
    components=(
        Component(StatusPage, lambda c: StatusPage(c[Database], c[HealthChecks], c[GatewayTables])),
        Component(Figures, lambda c: Figures(c[Database]), start=Figures.start, stop=Figures.stop),
    ),
)
