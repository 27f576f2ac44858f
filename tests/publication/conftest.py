"""What the tests here start from."""

from tests.endpoints.conftest import make_endpoint, make_project
from tests.models.conftest import make_model

__all__ = ["make_endpoint", "make_model", "make_project"]
