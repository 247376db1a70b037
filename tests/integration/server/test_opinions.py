# SPDX-License-Identifier: Apache-2.0
"""POST /v1/vote, /v1/supersede and /v1/epoch: what they do to answers, and what rules them out."""

import unittest

from knowledge import STORED, KnowledgeCase, at
from signer import seed, signed


class Votes(KnowledgeCase):
    def votes(self, id):
        return self.trace(id)["votes"]

    def test_a_vote_counts_as_soon_as_it_is_acknowledged(self):
        id = self.store("votes/one")
        self.assertEqual(self.votes(id), {"count": 0, "weight": 0})
        answer = self.record("/v1/vote", assertion_id=id, weight=0.5)
        self.assertEqual(set(answer), STORED)
        self.assertEqual((answer["status"], answer["kind"]), ("created", "vote"))
        self.assertEqual(self.votes(id), {"count": 1, "weight": 0.5})

    def test_an_agents_later_vote_takes_the_place_of_its_earlier_one(self):
        id = self.store("votes/later")
        for moment, weight in ((1, 1), (2, 0.25), (3, 0.75)):
            self.record("/v1/vote", assertion_id=id, weight=weight, timestamp=at(moment))
        self.assertEqual(self.votes(id), {"count": 1, "weight": 0.75})
        self.record("/v1/vote", assertion_id=id, weight=0, timestamp=at(4))
        self.assertEqual(self.votes(id), {"count": 1, "weight": 0})

    def test_each_agent_has_a_vote_and_who_does_not_sign_is_one_agent(self):
        id = self.store("votes/agents")
        for key, weight in ((1, 0.5), (2, 0.125), (3, 1)):
            body = {"assertion_id": id, "weight": weight, "timestamp": at(1)}
            self.record("/v1/vote", **signed(seed(key), body, "vote"))
        for moment in (1, 2):
            self.record("/v1/vote", assertion_id=id, weight=0.25, timestamp=at(moment))
        self.assertEqual(self.votes(id), {"count": 4, "weight": 1.875})
        self.record("/v1/vote", **signed(seed(3), {"assertion_id": id, "weight": 0.25, "timestamp": at(9)}, "vote"))
        self.assertEqual(self.votes(id), {"count": 4, "weight": 1.125})

    def test_no_weight_is_left_over_however_often_agents_change_their_minds(self):
        id = self.store("votes/minds")
        for i in range(50):
            self.record("/v1/vote", assertion_id=id, weight=(i * 7919 % 1000) / 1000, timestamp=at(i))
        self.record("/v1/vote", assertion_id=id, weight=0.5, timestamp=at(1000))
        self.assertEqual(self.votes(id), {"count": 1, "weight": 0.5})

    def test_a_vote_older_than_the_agents_latest_is_refused(self):
        id = self.store("votes/stale")
        first = self.record("/v1/vote", assertion_id=id, weight=1, timestamp=at(5))
        self.record("/v1/vote", assertion_id=id, weight=0.5, timestamp=at(6))
        self.refuse(409, "stale_vote", "/v1/vote", assertion_id=id, weight=0.75, timestamp=at(4))
        # One that was outvoted and is sent again is a repeat, and changes nothing.
        again = self.record("/v1/vote", expect=200, assertion_id=id, weight=1, timestamp=at(5))
        self.assertEqual(again, first | {"status": "duplicate"})
        self.assertEqual(self.votes(id), {"count": 1, "weight": 0.5})
        # Another agent's time is its own.
        self.record("/v1/vote", **signed(seed(1), {"assertion_id": id, "weight": 1, "timestamp": at(1)}, "vote"))
        self.assertEqual(self.votes(id), {"count": 2, "weight": 1.5})

    def test_lenses_see_votes_as_they_were_at_the_moment(self):
        id = self.store("votes/seen")
        seen, sequences = "tostring(c.votes) .. '/' .. tostring(c.vote_weight)", [self.sequence()]
        for key, weight in ((1, 0.5), (2, 0.25), (1, 0.75)):
            body = {"assertion_id": id, "weight": weight, "timestamp": at(len(sequences))}
            sequences.append(self.record("/v1/vote", **signed(seed(key), body, "vote"))["sequence"])
        for sequence, votes in zip(sequences, ("0/0", "1/0.5", "2/0.75", "2/1")):
            self.assertEqual(self.seen_by_a_lens(seen, "votes/seen", as_of=sequence), votes)
        self.assertEqual(self.seen_by_a_lens(seen, "votes/seen"), "2/1")

    def test_the_known_answer_of_vote_consensus_follows_the_votes(self):
        a, b = (self.store("votes/known", value=value, source={"id": value}) for value in "ab")
        self.assertIsNone(self.resolution("votes/known", "vote_consensus")["winner"])
        for key, id, weight in ((1, a, 0.5), (2, a, 0.5), (3, a, 0.5), (4, b, 1), (5, b, 0.25)):
            last = self.record("/v1/vote", **signed(seed(key), {"assertion_id": id, "weight": weight, "timestamp": at(1)}, "vote"))
        resolution = self.resolution("votes/known", "vote_consensus")
        self.assertEqual((resolution["value"], resolution["status"]), ("a", "contested"))
        self.assertAlmostEqual(resolution["confidence"], 1.5 / 2.75, places=12)
        self.record("/v1/vote", **signed(seed(1), {"assertion_id": a, "weight": 0, "timestamp": at(2)}, "vote"))
        changed = self.resolution("votes/known", "vote_consensus")
        self.assertEqual(changed["value"], "b")
        self.assertAlmostEqual(changed["confidence"], 1.25 / 2.25, places=12)
        self.assertEqual(self.resolution("votes/known", "vote_consensus", as_of=last["sequence"]), resolution)

    def test_what_is_no_assertion_has_no_votes(self):
        vote = self.record("/v1/vote", assertion_id=self.store("votes/of_votes"), weight=1)
        for id in ("0" * 64, vote["id"]):
            self.refuse(404, "unknown_assertion", "/v1/vote", assertion_id=id, weight=1)

    def test_wrong_votes_are_refused_with_their_fields(self):
        id = "ab" * 32
        for pointers, body in ((["/assertion_id", "/weight"], {}), (["/weight"], {"assertion_id": id}),
                               (["/weight"], {"assertion_id": id, "weight": 1.5}),
                               (["/weight"], {"assertion_id": id, "weight": -0.5}),
                               (["/weight"], {"assertion_id": id, "weight": "1"}),
                               (["/weight"], {"assertion_id": id, "weight": True}),
                               (["/weight"], {"assertion_id": id, "weight": None}),
                               (["/assertion_id"], {"assertion_id": id.upper(), "weight": 1}),
                               (["/assertion_id"], {"assertion_id": 7, "weight": 1}),
                               (["/reason"], {"assertion_id": id, "weight": 1, "reason": "no field of a vote's"}),
                               (["/dry_run"], {"assertion_id": id, "weight": 1, "dry_run": True}),
                               (["/timestamp"], {"assertion_id": id, "weight": 1, "timestamp": "today"})):
            self.refuse(400, "invalid_request", "/v1/vote", pointers, **body)


class Supersessions(KnowledgeCase):
    def test_the_replacement_takes_the_targets_place(self):
        old, new = self.store("super/plain", value="old"), self.store("super/plain", value="new")
        before = self.sequence()
        answer = self.record("/v1/supersede", target=old, replacement=new, reason="better")
        self.assertEqual((set(answer), answer["kind"]), (STORED, "supersession"))
        self.assertEqual(self.values("super/plain"), ["new"])
        self.assertEqual(self.values("super/plain", status="superseded"), ["old"])
        self.assertEqual(self.values("super/plain", status="any"), ["new", "old"])
        self.assertEqual(self.values("super/plain", status="retracted"), [])
        self.assertEqual((self.status_of(old), self.status_of(new)), ("superseded", "active"))
        self.assertEqual(self.values("super/plain", as_of=before), ["new", "old"])
        self.assertEqual(self.values("super/plain", as_of=answer["sequence"]), ["new"])
        self.assertEqual(self.statuses("super/plain", as_of=before), {"old": "active", "new": "active"})
        resolution = self.resolution("super/plain", "skeptic")
        self.assertEqual((resolution["candidates_count"], resolution["status"], resolution["conflict_score"]),
                         (1, "unanimous", 0))
        self.assertEqual(self.resolution("super/plain", "skeptic", as_of=before)["conflict_score"], 1)
        self.assertEqual(self.resolution("super/plain", "skeptic", status="superseded")["claims"][0]["value"], "old")

    def test_an_assertion_is_superseded_once_and_its_replacement_in_turn(self):
        a, b, c = (self.store("super/chain", value=value) for value in "abc")
        first = self.record("/v1/supersede", target=a, replacement=b, timestamp=at(1))
        self.refuse(409, "already_superseded", "/v1/supersede", target=a, replacement=c, timestamp=at(2))
        again = self.record("/v1/supersede", expect=200, target=a, replacement=b, timestamp=at(1))
        self.assertEqual(again, first | {"status": "duplicate"})
        self.record("/v1/supersede", target=b, replacement=c)
        self.assertEqual(self.statuses("super/chain"), {"a": "superseded", "b": "superseded", "c": "active"})

    def test_no_chain_of_replacements_leads_back(self):
        a, b, c = (self.store("super/circle", value=value) for value in "abc")
        self.record("/v1/supersede", target=a, replacement=b)
        self.refuse(409, "would_close_circle", "/v1/supersede", target=b, replacement=a)
        self.record("/v1/supersede", target=b, replacement=c)
        for replacement in (a, b):
            self.refuse(409, "would_close_circle", "/v1/supersede", target=c, replacement=replacement)
        self.assertEqual(self.values("super/circle"), ["c"])

    def test_the_replacement_may_stand_elsewhere_and_may_replace_several(self):
        one, two, new = self.store("super/a", value=1), self.store("super/b", value=2), self.store("super/c", value=3)
        for old in (one, two):
            self.record("/v1/supersede", target=old, replacement=new)
        self.assertEqual([self.values("super/" + name) for name in "abc"], [[], [], [3]])

    def test_what_is_not_there_is_named(self):
        here = self.store("super/missing")
        vote = self.record("/v1/vote", assertion_id=here, weight=1)["id"]
        for missing in ("0" * 64, vote):
            self.refuse(404, "unknown_assertion", "/v1/supersede", target=missing, replacement=here)
            answer = self.refuse(404, "unknown_assertion", "/v1/supersede", target=here, replacement=missing)
            self.assertIn(missing, answer.json["detail"])

    def test_wrong_supersessions_are_refused_with_their_fields(self):
        id, other = "ab" * 32, "cd" * 32
        for pointers, body in ((["/target", "/replacement"], {}), (["/replacement"], {"target": id}),
                               (["/replacement"], {"target": id, "replacement": id}),
                               (["/target"], {"target": "x", "replacement": other}),
                               (["/reason"], {"target": id, "replacement": other, "reason": ""}),
                               (["/reason"], {"target": id, "replacement": other, "reason": "x" * 1025}),
                               (["/reason"], {"target": id, "replacement": other, "reason": ["x"]}),
                               (["/assertion_id"], {"target": id, "replacement": other, "assertion_id": id})):
            self.refuse(400, "invalid_request", "/v1/supersede", pointers, **body)


class Epochs(KnowledgeCase):
    def test_a_superseded_epoch_is_seen_by_lenses_and_its_claims_stay(self):
        self.store("epochs/a", value="old", epoch="2025")
        before = self.sequence()
        seen = "tostring(c.epoch_superseded)"
        self.assertEqual(self.seen_by_a_lens(seen, "epochs/a"), "false")
        answer = self.record("/v1/epoch", name="2026", supersedes="2025", supersession_type="replaces")
        self.assertEqual((set(answer), answer["kind"]), (STORED, "epoch"))
        self.assertEqual(self.seen_by_a_lens(seen, "epochs/a"), "true")
        self.assertEqual(self.seen_by_a_lens(seen, "epochs/a", as_of=before), "false")
        self.assertEqual(self.values("epochs/a"), ["old"])
        self.store("epochs/a", value="new", epoch="2026")
        self.assertEqual(self.values("epochs/a", epoch="2025"), ["old"])
        self.assertEqual(self.values("epochs/a", epoch="2026"), ["new"])
        self.assertEqual(self.seen_by_a_lens(seen, "epochs/a", epoch="2026"), "false")
        # A claim may be made in an epoch that is over; it is one of that epoch.
        self.store("epochs/late", epoch="2025")
        self.assertEqual(self.seen_by_a_lens(seen, "epochs/late"), "true")

    def test_the_lens_epoch_aware_leaves_a_superseded_epoch_out(self):
        for value, epoch in (("old", "aware-1"), ("old", "aware-1"), ("old", "aware-1"), ("new", "aware-2")):
            self.store("epochs/aware", value=value, epoch=epoch, source={"id": f"s{self.sequence()}"})
        answer = None
        for expected in ("old", "new"):
            self.assertEqual(self.resolution("epochs/aware", "consensus")["value"], "old")
            self.assertEqual(self.resolution("epochs/aware", "epoch_aware")["value"], expected)
            answer = answer or self.record("/v1/epoch", name="aware-2", supersedes="aware-1")
        self.assertEqual(self.resolution("epochs/aware", "epoch_aware", as_of=answer["sequence"] - 1)["value"], "old")

    def test_a_claim_without_an_epoch_and_one_of_an_unknown_epoch_are_kept(self):
        self.record("/v1/epoch", name="epochs-new", supersedes="epochs-old")
        self.store("epochs/none")
        self.store("epochs/unknown", epoch="never heard of")
        for path in ("epochs/none", "epochs/unknown"):
            self.assertEqual(self.seen_by_a_lens("tostring(c.epoch_superseded)", path), "false")

    def test_a_name_is_given_once(self):
        first = self.record("/v1/epoch", name="once", timestamp=at(1))
        self.assertEqual(self.record("/v1/epoch", expect=200, name="once", timestamp=at(1)), first | {"status": "duplicate"})
        self.refuse(409, "epoch_exists", "/v1/epoch", name="once", timestamp=at(2))

    def test_no_epoch_supersedes_itself_by_way_of_others(self):
        self.record("/v1/epoch", name="ring-2", supersedes="ring-1")
        self.record("/v1/epoch", name="ring-3", supersedes="ring-2")
        self.refuse(409, "would_close_circle", "/v1/epoch", name="ring-1", supersedes="ring-3")
        self.record("/v1/epoch", name="ring-1")

    def test_wrong_epochs_are_refused_with_their_fields(self):
        for pointers, body in ((["/name"], {}), (["/name"], {"name": ""}), (["/name"], {"name": "x" * 129}),
                               (["/name"], {"name": 2026}), (["/name"], {"name": "a\nb"}),
                               (["/supersedes"], {"name": "self", "supersedes": "self"}),
                               (["/supersession_type"], {"name": "typed", "supersession_type": "ends"}),
                               (["/supersession_type"], {"name": "typed", "supersession_type": 1}),
                               (["/reason"], {"name": "reasoned", "reason": "no field of an epoch's"})):
            self.refuse(400, "invalid_request", "/v1/epoch", pointers, **body)


if __name__ == "__main__":
    unittest.main()
