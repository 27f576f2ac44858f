"""What the tests of datasets share serves the walk over all routes too."""

from tests.datasets.conftest import checking, project_id, version

__all__ = ["checking", "project_id", "version"]
