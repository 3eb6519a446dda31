"""What the Python client is recorded with: PYTHON client.py URL TOKEN."""

import sys

from convex import ConvexClient  # type: ignore[attr-defined]

url, token = sys.argv[1:]
client = ConvexClient(url)
client.set_auth(token)
thread = {"id": "t", "resourceId": "r", "title": "one"}
client.mutation("threads:save", {"thread": thread})
values = iter(client.subscribe("threads:get", {"id": "t"}))
print(next(values))
client.mutation("threads:save", {"thread": {**thread, "title": "two"}})
print(next(values))
try:
    client.mutation("threads:save", {})
except Exception as error:
    print(type(error))
print(client.query("messages:list", {"threadId": "t", "order": "asc", "limit": 10}))
client.set_auth(None)
try:
    client.query("threads:get", {"id": "t"})
except Exception as error:
    print(type(error))
