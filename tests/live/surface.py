from tests.surface.share import Share, Valid

share = Share("live_ops", requests={"GET /events": Valid(query=lambda t: {"max_seconds": "0"})})
