# SPDX-License-Identifier: Apache-2.0
"""GET /v1/watch: how it begins, and what it refuses. What it tells afterwards: tests/integration/watch."""

import unittest

from knowledge import KnowledgeCase


class WatchCalls(KnowledgeCase):
    def test_it_says_from_where_on_it_watches(self):
        answer = self.server.get("/v1/watch?concept_path=w/begin")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        self.assertIn(b"event: hello\n", answer.body)

    def test_it_refuses_what_it_does_not_know(self):
        for target, status, code in (("/v1/watch", 400, "invalid_request"),
                                     ("/v1/watch?concept_path=a&limit=1", 400, "invalid_request"),
                                     ("/v1/watch?concept_path=a//b", 400, "invalid_request"),
                                     ("/v1/watch?concept_path=a&lens=nobody", 404, "unknown_lens")):
            answer = self.server.get(target)
            self.assertEqual((answer.status, answer.code), (status, code), target)

    def test_it_refuses_an_event_id_that_is_none(self):
        for given in ("x", "-1", "99999999999", "1 2"):
            answer = self.server.request("GET", "/v1/watch?concept_path=a", headers={"Last-Event-ID": given})
            self.assertEqual((answer.status, answer.code), (400, "invalid_request"), given)


if __name__ == "__main__":
    unittest.main()
