// SPDX-License-Identifier: Apache-2.0
// Ids and signatures against tests/vectors/identity.json and docs/identity.md, with both crypto libraries of Node.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const tree = new URL('../../../', import.meta.url);
const file = JSON.parse(readFileSync(new URL('tests/vectors/identity.json', tree), 'utf8'));
const page = readFileSync(new URL('docs/identity.md', tree), 'utf8');
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';

// The module picks its library when it first needs one; each copy is made to see what it shall pick.
const { webcrypto } = await import('node:crypto');
async function copyWith(crypto, name) {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'crypto');
  Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true });
  try {
    const copy = await import(`../stemedb.mjs?${name}`);
    await copy.newKey();
    return copy;
  } finally {
    if (before) Object.defineProperty(globalThis, 'crypto', before);
    else delete globalThis.crypto;
  }
}
const libraries = { WebCrypto: await copyWith(webcrypto, 'web'), 'node:crypto': await copyWith(undefined, 'node') };

// What a server would show: the record's own members, its id, and its signatures.
function shown(vector, fields, kind) {
  if (kind === undefined) return { ...fields, id: vector.id };
  return { ...fields, kind, [kind.startsWith('source') ? 'operation_id' : 'id']: vector.id };
}

const claims = file.vectors.map((vector) => ({ ...vector, kind: 'assertion' }));
for (const [library, { Key, canonicalText, idOf, importKey, newKey, sign, verify }] of Object.entries(libraries)) {
  test(`${library}: texts and ids are the published ones`, async () => {
    for (const vector of [...claims, ...file.operations]) {
      const record = JSON.parse(vector.canonical);
      assert.equal(canonicalText(vector.kind, record), `stemedb/${vector.kind}/v1\n${vector.canonical}`, vector.name);
      assert.equal(await idOf(vector.kind, record), vector.id, vector.name);
    }
  });

  test(`${library}: signatures are the published ones`, async () => {
    const vectors = [...claims, ...file.operations].filter((vector) => vector.signature);
    assert.ok(vectors.length > 10);
    for (const vector of vectors) {
      const key = await importKey(vector.seed);
      assert.equal(key.agentId, vector.public_key);
      const { agent_id, ...fields } = JSON.parse(vector.canonical);
      const signed = await sign(vector.kind, fields, key);
      assert.equal(signed.signature, vector.signature, vector.name);
      const kind = vector.kind === 'assertion' ? undefined : vector.kind;
      assert.ok(await verify(shown(vector, signed, kind)), vector.name);
    }
  });

  test(`${library}: operations are those of docs/identity.md`, async () => {
    const lines = page.matchAll(/^([a-z_]+) +(\{.*\})\nid +([0-9a-f]{64})\nsignature +([0-9a-f]{128})$/gm);
    let count = 0;
    for (const [, kind, canonical, id, signature] of lines) {
      const { agent_id, ...fields } = JSON.parse(canonical);
      const signed = await sign(kind, fields, await importKey(SEED));
      assert.deepEqual([await idOf(kind, signed), signed.signature], [id, signature], kind);
      count += 1;
    }
    assert.equal(count, 8);
  });

  test(`${library}: whatever is changed, verify notices`, async () => {
    const vector = file.vectors.find((one) => one.signature);
    const good = { ...JSON.parse(vector.canonical), signature: vector.signature, id: vector.id };
    assert.ok(await verify(good));
    const other = await newKey();
    const flipped = vector.signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    for (const change of [{ confidence: 0.5 }, { id: 'a'.repeat(64) }, { signature: flipped }, { signature: '' },
      { signature: undefined }, { agent_id: other.agentId }, { kind: 'vote' }, { kind: 'toString' }, { metadata: {} }]) {
      assert.equal(await verify({ ...good, ...change }), false, JSON.stringify(change));
    }
    assert.ok(await verify({ ...good, sequence: 1, recorded_at: good.timestamp, status: 'active' }));
    const unsigned = { ...good, agent_id: undefined, signature: undefined };
    assert.ok(await verify({ ...unsigned, id: await idOf('assertion', unsigned) }));
  });

  test(`${library}: several sign the same text`, async () => {
    const keys = [await newKey(), await newKey()];
    const signed = await sign('vote', { assertion_id: 'a'.repeat(64), weight: 0.5 }, ...keys);
    assert.equal(signed.agent_id, keys[0].agentId);
    assert.deepEqual(signed.signatures.map((one) => one.agent_id), keys.map((key) => key.agentId));
    const record = { ...signed, kind: 'vote', id: await idOf('vote', signed) };
    assert.ok(await verify(record));
    assert.ok(await verify({ ...record, agent_id: undefined }));  // it follows from the first signer
    assert.equal(await verify({ ...record, signatures: signed.signatures.slice().reverse() }), false);
    const [first, second] = signed.signatures;
    assert.equal(await verify({ ...record, signatures: [first, { ...second, signature: first.signature }] }), false);
  });

  test(`${library}: a key comes back from its seed and its file`, async () => {
    const key = await newKey();
    const bytes = new TextEncoder().encode('text');
    for (const secret of [key.exportSeed(), key.exportSeed().toUpperCase(), key.exportPem()]) {
      const again = await importKey(secret);
      assert.ok(again instanceof Key);
      assert.deepEqual([again.agentId, await again.sign(bytes)], [key.agentId, await key.sign(bytes)]);
    }
    assert.notEqual((await newKey()).agentId, key.agentId);
    assert.doesNotMatch(JSON.stringify(key), new RegExp(key.exportSeed()));
    const x448 = '-----BEGIN PRIVATE KEY-----\nMEYCAQAwBQYDK2VvBDoEOA==\n-----END PRIVATE KEY-----\n';
    for (const secret of ['', 'ab', 'g'.repeat(64), x448]) await assert.rejects(importKey(secret), TypeError);
  });
}

test('the libraries agree on a random key', async () => {
  const { WebCrypto: web, 'node:crypto': node } = libraries;
  const key = await web.newKey();
  const fields = { concept_path: 'a', predicate: 'b', value: 'é😀', confidence: 1, timestamp: new Date(0) };
  assert.deepEqual(await web.sign('assertion', fields, key),
    await node.sign('assertion', fields, await node.importKey(key.exportSeed())));
});

const { sign, newKey } = libraries.WebCrypto;
const claim = { concept_path: 'a', predicate: 'b', value: 1, confidence: 1 };

test('a record gets a timestamp, and times get the canonical form', async () => {
  const { timestamp } = await sign('assertion', claim);
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  const dated = await sign('assertion', { ...claim, timestamp: new Date(0), valid_to: new Date(1) });
  assert.deepEqual([dated.timestamp, dated.valid_to], ['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.001Z']);
  for (const wrong of ['1970-01-01T00:00:00Z', '1970-01-01T01:00:00.000+01:00', 0, 'today']) {
    await assert.rejects(sign('assertion', { ...claim, valid_from: wrong }), TypeError);
  }
});

test('a member that is none is refused before it is signed for nothing', async () => {
  for (const fields of [{ ...claim, confidance: 1 }, { ...claim, subject: 'a' }, { ...claim, agent_id: 'a'.repeat(64) }]) {
    await assert.rejects(sign('assertion', fields), TypeError);
  }
  await assert.rejects(sign('vote', { assertion_id: 'a'.repeat(64), weight: 1, reason: 'so' }), TypeError);
});

test('what is signed stays as it is', async () => {
  const signed = await sign('assertion', claim, await newKey());
  assert.deepEqual(await sign('assertion', signed), signed);
  await assert.rejects(sign('assertion', signed, await newKey()), TypeError);
});
