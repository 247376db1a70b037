// SPDX-License-Identifier: Apache-2.0
// Signs claims with Node's crypto, line by line: {"seed":…,"claim":{…}} → {"agent_id":…,"signature":…,"id":…}. With
// "kind" it is an operation of that kind. The agent's key is part of what is signed: it is put in where it is missing.
import { createInterface } from 'node:readline';
import { canonicalize, domain, domainOf, idOf, keyOfSeed, signWith } from '../identity/jcs.mjs';

for await (const line of createInterface({ input: process.stdin })) {
  const { seed, claim, kind } = JSON.parse(line);
  const key = keyOfSeed(seed);
  const front = kind === undefined ? domain : domainOf(kind);
  const canonical = canonicalize({ ...claim, agent_id: claim.agent_id ?? key.publicHex });
  console.log(JSON.stringify({ agent_id: key.publicHex, signature: signWith(key, canonical, front), id: idOf(canonical, front) }));
}
