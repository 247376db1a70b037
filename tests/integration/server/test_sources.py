# SPDX-License-Identifier: Apache-2.0
"""POST /v1/source and /v1/sources, GET /v1/sources, GET and PATCH /v1/sources/{id}."""

import unittest
from urllib.parse import quote

from knowledge import IMPACT, STORED, KnowledgeCase, at
from signer import seed, signed

MEBI = 1 << 20


def patch(id):
    return "PATCH /v1/sources/" + quote(id, safe="")


class Sources(KnowledgeCase):
    def test_a_source_is_registered_and_read_back(self):
        whole = {"id": "nct04707469", "class": "clinical", "title": "A trial", "url": "https://example.org/trial",
                 "hash": "sha256:00", "content": 'Line one,\n"line" two. Å😀', "timestamp": at(1)}
        for path, body in (("/v1/source", whole), ("/v1/sources", {"id": "bare"})):
            answer = self.record(path, **body)
            self.assertEqual((set(answer), answer["kind"]), (STORED, "source"))
            read = self.source(body["id"])
            self.assertEqual((set(read), read["status"]), ({"source", "status"}, "active"))
            self.assertEqual({name: read["source"][name] for name in body}, body)
            self.assertEqual((read["source"]["operation_id"], read["source"]["sequence"]), (answer["id"], answer["sequence"]))
            self.assertEqual(read["source"]["recorded_at"], answer["recorded_at"])

    def test_an_id_is_registered_once_under_either_name(self):
        body = {"id": "once", "title": "First", "timestamp": at(1)}
        first = self.record("/v1/source", **body)
        for path in ("/v1/source", "/v1/sources"):
            self.assertEqual(self.record(path, expect=200, **body), first | {"status": "duplicate"})
            self.refuse(409, "source_exists", path, id="once", title="Second", timestamp=at(2))
        self.assertEqual(self.source("once")["source"]["title"], "First")

    def test_an_id_may_hold_what_an_address_may_not(self):
        for id in ("a/b c?d#e%f", "https://example.org/x?y=z", "Å😀", "{id}", "...a", "x" * 512):
            self.record("/v1/source", id=id, title=f"T {id[:10]}")
            self.assertEqual(self.source(id)["source"]["id"], id)
            self.assertEqual(self.record(patch(id), status="deprecated")["kind"], "source_status")
            self.assertEqual(self.source(id)["status"], "deprecated")

    def test_content_has_a_mebibyte(self):
        self.record("/v1/sources", id="large", content="x" * MEBI)
        self.assertEqual(len(self.source("large")["source"]["content"]), MEBI)
        for path in ("/v1/source", "/v1/sources"):
            self.refuse(413, "value_too_large", path, ["/content"], id="larger", content="x" * (MEBI + 1))
            self.refuse(413, "payload_too_large", path, id="largest", content="x" * (8 * MEBI))
        self.assertEqual(self.server.get("/v1/sources/larger").code, "unknown_source")

    # Status

    def test_a_status_is_for_readers_and_may_change(self):
        claimed = self.store("sources/status", source={"id": "changing"})
        self.record("/v1/source", id="changing")
        for moment, status in enumerate(("under_review", "deprecated", "active", "under_review")):
            answer = self.record(patch("changing"), status=status, reason=f"step {moment}", timestamp=at(moment))
            self.assertEqual((set(answer), answer["kind"]), (STORED, "source_status"))
            read = self.source("changing")
            self.assertEqual((read["status"], read["status_since"], read["status_sequence"]),
                             (status, answer["recorded_at"], answer["sequence"]))
        self.assertEqual(self.status_of(claimed), "active")

    def test_a_repeat_is_recognised(self):
        self.record("/v1/source", id="repeated")
        body = {"status": "deprecated", "timestamp": at(1)}
        first = self.record(patch("repeated"), **body)
        self.record(patch("repeated"), status="active", timestamp=at(2))
        again = self.record(patch("repeated"), expect=200, id="repeated", **body)
        self.assertEqual(again, first | {"status": "duplicate"})
        self.assertEqual(self.source("repeated")["status"], "active")

    def test_a_retracted_source_takes_its_claims_with_it_for_good(self):
        ids = [self.store("sources/retracted", value=value, source={"id": "withdrawn", "class": "clinical"})
               for value in ("one", "two")]
        derived = self.store("sources/derived", derived_from=ids)
        self.record("/v1/source", id="withdrawn")
        before = self.sequence()
        preview = self.send(patch("withdrawn"), {"status": "retracted", "dry_run": True})
        self.assertEqual((preview.status, set(preview.json)), (200, {"status", "kind", "allowed"} | IMPACT))
        self.assertEqual((preview.json["status"], preview.json["retracted"], preview.json["cascaded"]), ("dry_run", 2, 0))
        self.assertEqual((self.sequence(), self.source("withdrawn")["status"]), (before, "active"))

        answer = self.send(patch("withdrawn"), {"status": "retracted", "reason": "withdrawn by the authors"})
        self.assertEqual((answer.status, set(answer.json)), (201, STORED | IMPACT))
        self.assertEqual({name: answer.json[name] for name in IMPACT}, {name: preview.json[name] for name in IMPACT})
        self.store("sources/retracted", value="later", source={"id": "withdrawn"})
        self.assertEqual(self.statuses("sources/retracted"), {"one": "retracted", "two": "retracted", "later": "retracted"})
        self.assertEqual(self.values("sources/retracted", as_of=before), ["one", "two"])
        self.assertEqual(self.status_of(derived), "active")
        for status in ("active", "under_review", "deprecated", "retracted"):
            self.assertEqual(self.send(patch("withdrawn"), {"status": status, "timestamp": at(9)}).code, "already_retracted")
        self.assertEqual(self.send(patch("withdrawn"), {"status": "retracted", "dry_run": True}).code, "already_retracted")
        # What is derived from its claims can still be taken along.
        further = self.record("/v1/retract", source_id="withdrawn", cascade=True)
        self.assertEqual((further["retracted"], further["cascaded"], further["ids_sample"]), (1, 1, [derived]))
        self.assertEqual(self.status_of(derived), "retracted")

    def test_a_retraction_by_id_is_the_sources_status_too(self):
        self.record("/v1/source", id="by retract")
        answer = self.record("/v1/retract", source_id="by retract")
        self.assertEqual((answer["retracted"], answer["registered"]), (0, True))
        read = self.source("by retract")
        self.assertEqual((read["status"], read["status_sequence"]), ("retracted", answer["sequence"]))
        self.assertEqual(self.send(patch("by retract"), {"status": "active"}).code, "already_retracted")

    def test_a_source_may_be_retracted_before_it_is_registered(self):
        answer = self.record("/v1/retract", source_id="unregistered")
        self.assertEqual((answer["retracted"], answer["registered"]), (0, False))
        self.assertEqual(self.server.get("/v1/sources/unregistered").code, "unknown_source")
        self.assertEqual(self.send(patch("unregistered"), {"status": "active"}).code, "unknown_source")
        self.record("/v1/source", id="unregistered")
        self.assertEqual(self.source("unregistered")["status"], "retracted")

    def test_other_statuses_have_no_impact_to_show(self):
        self.record("/v1/source", id="harmless")
        self.store("sources/harmless", source={"id": "harmless"})
        preview = self.send(patch("harmless"), {"status": "deprecated", "dry_run": True})
        self.assertEqual((preview.status, preview.json), (200, {"status": "dry_run", "kind": "source_status", "allowed": True}))
        self.assertEqual(self.source("harmless")["status"], "active")

    # Refusals

    def test_what_is_not_registered_is_404(self):
        self.assertEqual(self.server.get("/v1/sources/nobody").code, "unknown_source")
        for dry_run in (True, False):
            self.assertEqual(self.send(patch("nobody"), {"status": "retracted", "dry_run": dry_run}).code, "unknown_source")

    def test_wrong_sources_are_refused_with_their_fields(self):
        for pointers, body in ((["/id"], {}), (["/id"], {"id": ""}), (["/id"], {"id": 7}), (["/id"], {"id": "x" * 513}),
                               (["/id"], {"id": "a\u0000b"}), (["/id"], {"id": ".."}), (["/id"], {"id": "."}),
                               (["/id"], {"id": "/"}), (["/class"], {"id": "w", "class": "rumour"}),
                               (["/title"], {"id": "w", "title": "x" * 1025}), (["/title"], {"id": "w", "title": None}),
                               (["/url"], {"id": "w", "url": "x" * 2049}), (["/hash"], {"id": "w", "hash": "x" * 257}),
                               (["/content"], {"id": "w", "content": ""}), (["/content"], {"id": "w", "content": ["x"]}),
                               (["/status"], {"id": "w", "status": "active"}), (["/dry_run"], {"id": "w", "dry_run": True})):
            for path in ("/v1/source", "/v1/sources"):
                self.refuse(400, "invalid_request", path, pointers, **body)
        self.assertEqual(self.server.get("/v1/sources/w").status, 404)

    def test_wrong_changes_of_status_are_refused_with_their_fields(self):
        self.record("/v1/source", id="steady")
        for pointers, body in ((["/status"], {}), (["/status"], {"status": "gone"}), (["/status"], {"status": 3}),
                               (["/id"], {"status": "deprecated", "id": "another"}), (["/id"], {"status": "deprecated", "id": 7}),
                               (["/reason"], {"status": "deprecated", "reason": ""}),
                               (["/dry_run"], {"status": "retracted", "dry_run": 1}),
                               (["/cascade"], {"status": "retracted", "cascade": True}),
                               (["/title"], {"status": "deprecated", "title": "no field of a change"})):
            answer = self.send(patch("steady"), body)
            self.assertEqual((answer.status, answer.code, answer.pointers), (400, "invalid_request", pointers), answer.body)
        self.assertEqual(self.send(patch("x" * 513), {"status": "active"}).status, 400)
        self.assertEqual(self.send("PATCH /v1/sources/%ff", {"status": "active"}).status, 400)
        self.assertEqual(self.source("steady")["status"], "active")


class SourceList(KnowledgeCase):
    def pages(self, limit):
        seen, cursor = [], {}
        for _ in range(100):
            answer = self.server.get("/v1/sources", limit=limit, **cursor).json
            seen += [entry["source"]["id"] for entry in answer["sources"]]
            if "next_cursor" not in answer:
                return seen
            cursor = {"cursor": answer["next_cursor"]}
        self.fail("the list doesn't end")

    def test_the_list_goes_by_id_in_pages_and_has_no_content(self):
        self.assertEqual(self.server.get("/v1/sources").json, {"sources": []})
        ids = ["b", "a/b", "a", "Z", "ä", "b c", "aa", "😀", "0", "a" * 300]
        for id in ids:
            self.record("/v1/source", id=id, title="T", content="some content")
        self.record("/v1/retract", source_id="ab: not registered")
        self.record(patch("aa"), status="under_review")
        ids.sort(key=lambda id: id.encode())
        for limit in (1, 3, 9, 10, 11, 1_000):
            self.assertEqual(self.pages(limit), ids, limit)
        entries = self.server.get("/v1/sources").json["sources"]
        for entry in entries:
            self.assertEqual((entry["source"]["title"], "content" in entry["source"]), ("T", False))
            self.assertEqual(entry["status"], "under_review" if entry["source"]["id"] == "aa" else "active")
        # The next page begins behind its cursor, whether that is anybody's id or not.
        after = self.server.get("/v1/sources", cursor="aab").json["sources"]
        self.assertEqual([entry["source"]["id"] for entry in after], [id for id in ids if id.encode() > b"aab"])
        # A source that comes in behind the cursor is on the page.
        first = self.server.get("/v1/sources", limit=1).json
        self.record("/v1/source", **signed(seed(1), {"id": "00", "timestamp": at(1)}, "source"))
        second = self.server.get("/v1/sources", limit=1, cursor=first["next_cursor"]).json
        self.assertEqual([entry["source"]["id"] for entry in first["sources"] + second["sources"]], ["0", "00"])

    def test_wrong_pages_are_refused(self):
        for params, pointer in (({"limit": 0}, "limit"), ({"limit": "x"}, "limit"), ({"limit": 1_001}, "limit"),
                                ({"limit": ""}, "limit"), ({"cursor": ""}, "cursor"), ({"cursor": "x" * 513}, "cursor"),
                                ({"prefix": "a"}, "prefix")):
            answer = self.server.get("/v1/sources", **params)
            self.assertEqual((answer.status, answer.code, answer.pointers), (400, "invalid_request", [pointer]), params)
        self.assertEqual(self.server.request("GET", "/v1/sources?cursor=%ff").code, "invalid_query")
        self.assertEqual(self.server.get("/v1/sources/a", content="true").code, "invalid_request")


if __name__ == "__main__":
    unittest.main()
