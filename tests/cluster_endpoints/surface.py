from tests.surface.share import Share

share = Share("cluster_endpoint_ops")
