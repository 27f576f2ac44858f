from tests.surface.share import Share

share = Share("template_ops")
