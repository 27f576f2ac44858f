"""Fail unless a stand-in answers: `python -m peers.healthy 9101`. For containers, whose image has no HTTP client."""

import sys
import urllib.request

urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=2)
