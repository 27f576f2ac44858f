from tests.surface.share import Share

share = Share("status_ops")
