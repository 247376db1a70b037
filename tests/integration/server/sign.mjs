// SPDX-License-Identifier: Apache-2.0
// Signs claims with Node's crypto, line by line: {"seed":…,"claim":{…}} → {"agent_id":…,"signature":…,"id":…}.
// The claim must name its agent: the agent's key is part of what is signed.
import { createInterface } from 'node:readline';
import { canonicalize, idOf, keyOfSeed, signWith } from '../identity/jcs.mjs';

for await (const line of createInterface({ input: process.stdin })) {
  const { seed, claim } = JSON.parse(line);
  const key = keyOfSeed(seed);
  const canonical = canonicalize({ ...claim, agent_id: claim.agent_id ?? key.publicHex });
  console.log(JSON.stringify({ agent_id: key.publicHex, signature: signWith(key, canonical), id: idOf(canonical) }));
}
