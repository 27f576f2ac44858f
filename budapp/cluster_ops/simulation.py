"""How budsim reports on its simulations, whoever asks for one."""

from functools import partial

from budapp.integrations.budsim import SIMULATION_EVENTS, SIMULATION_STEPS
from budapp.workflow_ops.definitions import Events

simulation_events = partial(Events, key="bud_simulator_events", type=SIMULATION_EVENTS, steps=SIMULATION_STEPS)
