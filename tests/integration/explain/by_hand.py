# SPDX-License-Identifier: Apache-2.0
"""What a resolution must say, from nothing but its candidates and the pages docs/lua-api.md and docs/http-api.md.

Every number is computed here from each candidate's confidence, class and timestamp; what the lens says of itself (its
winner, its weights) is computed from the lens's description in its head comment.
"""

import json
import math
from datetime import datetime

CLASSES = ["regulatory", "clinical", "observational", "expert", "community", "anecdotal"]


def milliseconds(time):
    return round(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000)


def key(value):
    return json.dumps(value, sort_keys=True)


def weigh(resolution):
    """Checks each candidate's own numbers and gives the candidates with their tiers."""
    weighing, problems = resolution["weighing"], []
    now = milliseconds(weighing["now"])
    for one in resolution["candidates"]:
        half_life = weighing.get("half_life_days", {}).get(one["source_class"])
        age = now - milliseconds(one["timestamp"])
        effective = one["confidence"]
        if half_life is not None and age > 0:
            effective *= 2 ** (-age / (half_life * 86400000))
        multiplier = weighing["class_multipliers"][one["source_class"]]
        expect(problems, one["id"] + " effective_confidence", effective, one["effective_confidence"])
        expect(problems, one["id"] + " class_multiplier", multiplier, one["class_multiplier"])
        expect(problems, one["id"] + " weight", effective * multiplier, one["weight"])
        one["tier"], one["ms"] = CLASSES.index(one["source_class"]), milliseconds(one["timestamp"])
    in_order = sorted(resolution["candidates"], key=lambda one: (-one["ms"], one["id"]))
    if in_order != resolution["candidates"]:
        problems.append("the candidates are not newest first")
    return problems


def expect(problems, what, wanted, got):
    same = math.isclose(wanted, got, rel_tol=1e-12, abs_tol=1e-12) if isinstance(wanted, float) else wanted == got
    if not same:
        problems.append(f"{what}: {wanted} by hand, {got} in the answer")


def sums(claims):
    weights = {}
    for one in claims:
        weights[key(one["value"])] = weights.get(key(one["value"]), 0.0) + one["weight"]
    return weights


def voices(claims):
    heard = {}
    for one in claims:
        heard.setdefault(key(one["value"]), set()).add(one["voice"])
    return {value: float(len(who)) for value, who in heard.items()}


def leader(claims, weights):
    """The newest claim of the heaviest value; equal weights by the smaller id of those claims."""
    firsts = {}
    for one in claims:
        firsts.setdefault(key(one["value"]), one)
    return min(firsts.values(), key=lambda one: (-weights.get(key(one["value"]), 0.0), one["id"]))


def gap_confidence(gap):
    return 0.95 if gap > 86400000 else 0.8 if gap > 3600000 else 0.6 if gap > 60000 else 0.5


# Each lens: (winner or None, weights by value or None for the sums, confidence or None, declined).
def recency(claims, params, now):
    kept = claims
    if params.get("max_age_s", 0) > 0:
        kept = [one for one in claims if one["ms"] >= now - params["max_age_s"] * 1000]
        if not kept:
            return None, None, None, True
    others = [one for one in kept if key(one["value"]) != key(kept[0]["value"])]
    return kept[0], sums(kept), gap_confidence(kept[0]["ms"] - others[0]["ms"]) if others else 1.0, False


def consensus(claims, _params, _now):
    by_voice = voices(claims)
    return leader(claims, by_voice), by_voice, None, False


def confidence(claims, _params, _now):
    return min(claims, key=lambda one: (-one["effective_confidence"], one["id"])), None, None, False


def tier_authority(claims, _params, _now):
    tier = min(one["tier"] for one in claims)
    speaking = [one for one in claims if one["tier"] == tier]
    return min(speaking, key=lambda one: (-one["weight"], one["id"])), sums(speaking), None, False


def layered(claims, _params, _now):
    tier = min(one["tier"] for one in claims)
    top = [one for one in claims if one["tier"] == tier]
    return leader(top, sums(top)), sums(top), None, False


def skeptic(_claims, _params, _now):
    return None, None, None, False


def authority(claims, _params, _now):
    """Nobody has been given trust here: each agent has 0.5."""
    products = {}
    for one in claims:
        value = key(one["value"])
        products[value] = products.get(value, 0.0) + one["effective_confidence"] * 0.5
    return min(claims, key=lambda one: (-one["effective_confidence"] * 0.5, one["id"])), products, None, False


def vote_consensus(_claims, _params, _now):
    """Nobody has voted here."""
    return None, {}, None, False


def constraints(_claims, _params, _now):
    """No predicate is a constraint here."""
    return None, None, None, True


LENSES = {"recency": recency, "consensus": consensus, "confidence": confidence, "tier_authority": tier_authority,
          "layered": layered, "skeptic": skeptic, "authority": authority, "vote_consensus": vote_consensus,
          "constraints": constraints, "epoch_aware": consensus}


def judge(claims, said, problems, place, got):
    """Holds one judgement against the rules. Gives the shares by value."""
    winner, weights, sure, declined = said
    by_lens = weights is not None
    weights = {key(one["value"]): 0.0 for one in claims} | (sums(claims) if weights is None else weights)
    total = sum(weights.values())
    shares = {value: weight / total if total > 0 else 0.0 for value, weight in weights.items()}
    leading = max(shares.values(), default=0.0)
    expect(problems, place + "winner", winner and winner["id"], got["winner"])
    expect(problems, place + "value", winner["value"] if winner else None, got["value"])
    expect(problems, place + "candidates_count", len(claims), got["candidates_count"])
    for claim in got["claims"]:
        expect(problems, f"{place}weight of {claim['value']}", weights[key(claim["value"])], claim["weight"])
        expect(problems, f"{place}share of {claim['value']}", shares[key(claim["value"])], claim["share"])
        ids = [one["id"] for one in claims if key(one["value"]) == key(claim["value"])]
        expect(problems, f"{place}claims of {claim['value']}", ids[:100], claim["assertion_ids"])
        expect(problems, f"{place}count of {claim['value']}", len(ids), claim["assertions_count"])
    expect(problems, place + "values", len(weights), len(got["claims"]))
    weighed = [share for value, share in shares.items() if weights[value] > 0]
    conflict = 0.0
    if len(weights) > 1 and not weighed:
        conflict = 1.0
    elif len(weighed) > 1:
        conflict = min(1.0, max(0.0, -sum(s * math.log(s) for s in weighed if s > 0) / math.log(len(weighed))))
    expect(problems, place + "conflict_score", conflict, got["conflict_score"])
    if sure is None:
        sure, sure_by = shares[key(winner["value"])] if winner else leading, "default"
    else:
        sure_by = "lens"
    status = "unanimous" if len(weights) == 1 else "agreed" if leading >= 0.8 else "contested"
    if declined:
        sure, status, sure_by = 0.0, "none", "lens"
    expect(problems, place + "confidence", float(sure), got["confidence"])
    expect(problems, place + "status", status, got["status"])
    expect(problems, place + "said_by", {"weights": "lens" if by_lens else "default", "confidence": sure_by,
                                         "conflict_score": "default", "status": "lens" if declined else "default"}, got["said_by"])
    return weights, shares


def differences(lens, params, resolution):
    """Everything in which the answer and the computation by hand differ."""
    problems = weigh(resolution)
    claims = resolution["candidates"]
    said = LENSES[lens](claims, params, milliseconds(resolution["weighing"]["now"]))
    weights, shares = judge(claims, said, problems, "", resolution)
    expect(problems, "declined", said[3], resolution["declined"])
    for one in claims:
        value = key(one["value"])
        expect(problems, one["id"] + " value_weight", weights[value], one["value_weight"])
        expect(problems, one["id"] + " value_share", shares[value], one["value_share"])
        role = "supports" if said[0] and value == key(said[0]["value"]) else "opposes" if said[0] else "listed"
        if said[0] and one["id"] == said[0]["id"]:
            role = "winner"
        elif weights[value] == 0:
            role = "unweighed"
        expect(problems, one["id"] + " role", role, one["role"])
    for layer in resolution.get("layers", []):
        of_tier = [one for one in claims if one["tier"] == layer["tier"]]
        judge(of_tier, (leader(of_tier, sums(of_tier)), sums(of_tier), None, False), problems, f"tier {layer['tier']} ", layer)
    return problems
