from tests.surface.share import Share, Valid

_EVENT = {"id": "1", "type": "com.example.event", "source": "budmodel", "data": {"answer": 42}}

share = Share(
    "events",
    requests={"POST /notifications": Valid(lambda t: _EVENT)},
    changes_nothing={
        "POST /notifications": "what a handler changes is recorded as any change, with the event as its source",
    },
)
