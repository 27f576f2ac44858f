"""Settings that are taken over from the configuration store while the service runs.

`Settings` marks them as `LIVE`: everybody reads them where they are used, and nobody keeps a copy.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from budapp.commons.config import LIVE, Settings
from budapp.commons.logging import get_logger, set_log_level

logger = get_logger(__name__)


def live_names() -> list[str]:
    """Return the fields that can change without a restart."""
    return [name for name, field in Settings.model_fields.items() if LIVE in field.metadata]


class LiveSettings:
    """Changes the settings of the process, one by one, in place.

    What the environment or the `.env` file sets stays, as at the start.
    """

    def __init__(self, settings: Settings) -> None:
        pinned = settings.model_fields_set - settings.from_stores
        self._settings = settings
        self._names = [name for name in live_names() if name not in pinned]
        self._seen: dict[str, Any] = {}

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take over what the store holds; what it holds no more is the default again.

        A value that does not fit is refused with a line in the log, and the setting stays as it is.

        Args:
            values: field → value as the store has it.
        """
        for name in self._names:
            value = values.get(name, Settings.model_fields[name].get_default())
            if name not in self._seen or self._seen[name] != value:
                self._seen[name] = value
                self._change(name, value)

    def _change(self, name: str, value: Any) -> None:
        before = getattr(self._settings, name)
        try:
            setattr(self._settings, name, value)
        except ValidationError as error:
            reason = "; ".join(part["msg"] for part in error.errors(include_input=False))
            logger.warning("setting_refused", setting=name.upper(), reason=reason)
            return
        after = getattr(self._settings, name)
        if after == before:
            return
        if name == "log_level":
            set_log_level(after)
        logger.info("setting_changed", setting=name.upper(), before=before, after=after)
