"""Receive webhooks, and verify that budapp sent them: `python receive_webhook.py 8000`.

Needs `pip install standardwebhooks`, and in WEBHOOK_SECRET the secret that `POST /webhooks` shows once.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen: set[str] = set()  # in a database, where it must survive a restart


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self._answer(401)
            return
        if self.headers["webhook-id"] not in seen:  # a retry has the same id
            print(event["type"], event, flush=True)
            seen.add(self.headers["webhook-id"])
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
