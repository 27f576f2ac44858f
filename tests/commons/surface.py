from tests.surface.share import Share

share = Share("core")
