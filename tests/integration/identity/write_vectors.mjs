// SPDX-License-Identifier: Apache-2.0
// Writes tests/vectors/identity.json from Node alone: node tests/integration/identity/write_vectors.mjs > tests/vectors/identity.json
// `claim` is the canonical content; `input` is the text that a client sends, in one of the accepted dialects.
import { canonicalize, domain, domainOf, idOf, keyOfSeed, signWith } from './jcs.mjs';

const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'; // RFC 8032, 7.1, test 1
const secondSeed = '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'; // test 2
const time = '2026-02-11T10:00:00.000Z';
const base = { concept_path: 'drug/semaglutide/nausea', predicate: 'rate', value: 0.2, confidence: 0.85, timestamp: time };
const id = (digit) => digit.repeat(64);

const vectors = [];
// An unsigned claim. `input` defaults to the claim itself as Node would send it.
const plain = (name, change, input) => {
  const claim = { ...base, ...change };
  vectors.push({ name, input: input ?? JSON.stringify(claim), canonical: canonicalize(claim) });
};
const signed = (name, change, body) => {
  const key = keyOfSeed(seed);
  const claim = { ...base, ...change, agent_id: key.publicHex };
  const canonical = canonicalize(claim);
  const signature = signWith(key, canonical);
  vectors.push({ name, input: body(claim, signature, canonical), canonical, seed, public_key: key.publicHex, signature });
};

plain('smallest claim', {});
plain('key order and blanks of the input do not matter', {},
  `\n{ "value" : 2e-1,\t"timestamp":"${time}", "predicate":"rate",\r\n"confidence":0.850, "concept_path":"drug\\/semaglutide/nausea" } `);
plain('every field', {
  concept_path: 'fda://drug/semaglutide', source: { id: 'nct04707469', class: 'clinical', hash: 'sha256:' + id('c'), url: 'https://example.org/trial?a=1&b="2"' },
  lifecycle: 'under_review', parent: id('a'), derived_from: [id('b'), id('1')], epoch: '2026-q1',
  valid_from: '2020-01-01T00:00:00.000Z', valid_to: '2025-12-31T23:59:59.999Z', metadata: { z: [1, null, true, 'x'], a: { b: {} }, m: [] } });
plain('text value with every escape', { value: '\u0000\u0001\b\t\n\u000b\f\r\u001f "\\/\u007f\u0080\u2028\u2029€😀דּ' });
plain('text value written with escapes only', { value: 'é€😀/A' },
  JSON.stringify({ ...base, value: '@' }).replace('@', '\\u00e9\\u20AC\\ud83d\\uDE00\\/\\u0041'));
plain('no normalisation: composed', { value: '\u00e9' });
plain('no normalisation: decomposed', { value: 'e\u0301' });
plain('unicode names', { concept_path: '薬/セマグルチド', predicate: 'überträgt', source: { id: 'Ärzteblatt 😀' } });
plain('metadata keys by UTF-16 code unit', { metadata: { '\u20ac': 1, '\r': 2, '\ufb33': 3, 1: 4, '😀': 5, '\u0080': 6, '\u00f6': 7, '\ue000': 8, '\uffff': 9, '': 10, aa: 11, a: 12 } });
plain('metadata key with a duplicate on another level', { metadata: { a: { a: { a: 1 } } } });
plain('boolean true', { value: true });
plain('boolean false', { value: false });
plain('reference', { value: { ref: 'drug/liraglutide' } });
plain('empty text', { value: '' });
plain('reference by object, type and value', { value: { ref: 'drug/liraglutide' } }, JSON.stringify({ ...base, value: undefined, object: { type: 'Reference', value: 'drug/liraglutide' } }));
plain('number by object, type and value', {}, JSON.stringify({ ...base, value: undefined, object: { type: 'Number', value: 0.2 } }));
plain('number by object, tagged', {}, JSON.stringify({ ...base, value: undefined, object: { Number: 0.2 } }));
plain('text by object, tagged', { value: 'high' }, JSON.stringify({ ...base, value: undefined, object: { Text: 'high' } }));
plain('boolean by object, value before type', { value: true }, JSON.stringify({ ...base, value: undefined, object: { value: true, type: 'Boolean' } }));
plain('subject for concept_path', {}, JSON.stringify({ ...base, concept_path: undefined, subject: base.concept_path }));
plain('timestamp in Unix seconds', {}, JSON.stringify({ ...base, timestamp: Date.parse(time) / 1000 }));
plain('timestamp with an offset', {}, JSON.stringify({ ...base, timestamp: '2026-02-11T12:30:00+02:30' }));
for (const text of ['0', '-0', '-0.0', '1', '1.0', '-1', '100', '1e2', '0.1', '1E-6', '1e-7', '123456789.125', '1e20', '1e21', '9007199254740992',
  '-9007199254740992', '1e17', '100000000000000000', '100000000000000000000', '-9223372036854776000', '4.35', '333333333.33333329', '5e-324', '1.7976931348623157e308', '0.000001', '2.2250738585072014e-308', '1e-999']) {
  plain(`number ${text}`, { value: JSON.parse(text) }, JSON.stringify({ ...base, value: 'NUMBER' }).replace('"NUMBER"', text));
}

signed('signature in the body', {}, (claim, signature) => JSON.stringify({ ...claim, signature }));
signed('signed, with the canonical text as the body', { value: 'x😀' }, (claim, signature, canonical) => canonical.replace(/}$/, `,"signature":"${signature}"}`));
signed('signed, in dialect', { value: 7, valid_from: time }, (claim, signature) =>
  JSON.stringify({ subject: claim.concept_path, predicate: claim.predicate, object: { type: 'Number', value: 7 }, confidence: claim.confidence, timestamp: time, valid_from: time, agent_id: claim.agent_id, signature }));
signed('signatures, agent_id from the first signer', { metadata: { b: 1, a: 2 } }, (claim, signature, canonical) => {
  const second = keyOfSeed(secondSeed);
  const signatures = [{ agent_id: claim.agent_id, signature }, { agent_id: second.publicHex, signature: signWith(second, canonical) }];
  return JSON.stringify({ ...claim, agent_id: undefined, signatures });
});

// What has no canonical form, or is no claim: the input, and the reason slug that the server answers with.
const refused = [
  ['integer beyond 2^53', '"value":1', '"value":9007199254740993'], ['integer that would lose digits', '"value":1', '"value":1152921504606846976'],
  ['number beyond a double', '"value":1', '"value":1e999'], ['lone surrogate', '"value":1', '"value":"\\ud800"'],
  ['reversed surrogates', '"value":1', '"value":"\\ude00\\ud83d"'], ['duplicate key', '"value":1', '"value":1,"value":1'],
  ['duplicate key in metadata', '"value":1', '"value":1,"metadata":{"a":1,"\\u0061":1}'], ['null', '"value":1', '"value":1,"epoch":null'],
  ['unknown field', '"value":1', '"value":1,"valeu":1'], ['value and object differ', '"value":1', '"value":1,"object":{"Number":2}'],
].map(([name, from, to]) => ({ name, input: JSON.stringify({ ...base, value: 1 }).replace(from, to), reason: 'invalid_request' }));
refused.push({ name: 'agent without a signature', input: JSON.stringify({ ...base, agent_id: id('a') }), reason: 'missing_signature' });
refused.push({ name: 'signed, with a timestamp in another form', reason: 'invalid_request',
  input: JSON.stringify({ ...base, timestamp: '2026-02-11T10:00:00Z', agent_id: id('a'), signature: id('b') + id('b') }) });
refused.push({ name: 'signature over another claim', reason: 'invalid_signature',
  input: vectors.find((v) => v.name === 'signature in the body').input.replace('"confidence":0.85', '"confidence":0.86') });

for (const vector of vectors) vector.id = idOf(vector.canonical);

// Operations: the content of each, and what else the client may have sent for it.
const operations = [];
const operation = (kind, name, content, input) => {
  const whole = { ...content, timestamp: time };
  operations.push({ kind, name, input: input ?? JSON.stringify(whole), canonical: canonicalize(whole) });
};
const key = keyOfSeed(seed);
const signedOperation = (kind, name, content, body = (whole, signature) => JSON.stringify({ ...whole, signature })) => {
  const whole = { ...content, timestamp: time, agent_id: key.publicHex };
  const canonical = canonicalize(whole);
  const signature = signWith(key, canonical, domainOf(kind));
  operations.push({ kind, name, input: body(whole, signature, canonical), canonical, seed, public_key: key.publicHex, signature });
};
const smallest = {
  vote: { assertion_id: id('a'), weight: 0.8 },
  supersession: { target: id('a'), replacement: id('b') },
  retraction: { assertion_id: id('a') },
  epoch: { name: '2026-q1' },
  source: { id: 'nct04707469' },
  source_status: { id: 'nct04707469', status: 'retracted' },
  alias: { alias: 'drug/ozempic', concept_path: 'drug/semaglutide' },
  trust: { agent: id('c'), trust: 0.25 },
};
const further = {
  vote: { weight: 1 },
  supersession: { reason: 'the table was misread' },
  retraction: { reason: 'withdrawn by its "authors"', cascade: true },
  epoch: { supersedes: '2025-q4', supersession_type: 'replaces' },
  source: { class: 'clinical', title: 'SUSTAIN 6 – a trial', url: 'https://example.org/trial?a=1&b="2"', hash: 'sha256:' + id('d'), content: 'Line 1\nLine 2\t€ 😀\u0000' },
  source_status: { status: 'under_review', reason: 'data requested' },
  alias: { alias: '薬/オゼンピック', concept_path: 'db://薬/セマグルチド' },
  trust: { trust: 1, reason: 'verified' },
};
for (const kind of Object.keys(smallest)) {
  operation(kind, `smallest ${kind}`, smallest[kind]);
  signedOperation(kind, `signed ${kind}`, { ...smallest[kind], ...further[kind] });
}
operation('vote', 'number in another form, blanks', { assertion_id: id('a'), weight: 0.5 }, ` { "weight" : 5.0e-1, "timestamp":"${time}",\n"assertion_id":"${id('a')}" }`);
operation('vote', 'timestamp in Unix seconds', smallest.vote, JSON.stringify({ ...smallest.vote, timestamp: Date.parse(time) / 1000 }));
operation('retraction', 'of a path', { concept_path: 'drug/semaglutide' });
operation('retraction', 'of all below a path', { concept_path: 'drug/semaglutide/*' });
operation('retraction', 'of all below a scheme', { concept_path: 'fda://*' });
operation('retraction', 'of a source', { source_id: 'nct04707469', cascade: true });
operation('retraction', 'cascade false counts as absent', smallest.retraction, JSON.stringify({ ...smallest.retraction, cascade: false, timestamp: time }));
operation('retraction', 'dry_run is no part of it', smallest.retraction, JSON.stringify({ ...smallest.retraction, dry_run: true, timestamp: time }));
signedOperation('trust', 'signatures, agent_id from the first signer', smallest.trust, (whole, signature, canonical) => {
  const second = keyOfSeed(secondSeed);
  const signatures = [{ agent_id: key.publicHex, signature }, { agent_id: second.publicHex, signature: signWith(second, canonical, domainOf('trust')) }];
  return JSON.stringify({ ...whole, agent_id: undefined, signatures });
});
for (const vector of operations) {
  vector.domain = domainOf(vector.kind);
  vector.id = idOf(vector.canonical, vector.domain);
}

const refusedOperations = [
  ['vote', 'weight above 1', { weight: 1.5 }], ['vote', 'unknown field', { wieght: 1 }], ['vote', 'null', { weight: null }],
  ['supersession', 'of a claim by itself', { replacement: id('a') }],
  ['retraction', 'two targets', { source_id: 's' }], ['retraction', 'no target', { assertion_id: undefined }],
  ['retraction', 'of everything', { assertion_id: undefined, concept_path: '*' }],
  ['epoch', 'superseding itself', { supersedes: '2026-q1' }], ['epoch', 'unknown supersession_type', { supersedes: '2025-q4', supersession_type: 'ends' }],
  ['epoch', 'supersession_type without supersedes', { supersession_type: 'replaces' }],
  ['source', 'unknown class', { class: 'rumour' }], ['source_status', 'unknown status', { status: 'gone' }],
  ['alias', 'of a subtree', { alias: 'drug/*' }],
  ['trust', 'of the anonymous agent', { agent: id('0') }],
  ['trust', 'signed, with a timestamp in another form', { timestamp: '2026-02-11T10:00:00Z', agent_id: id('a'), signature: id('b') + id('b') }],
].map(([kind, name, change]) => ({ kind, name, input: JSON.stringify({ ...smallest[kind], timestamp: time, ...change }), reason: 'invalid_request' }));
refusedOperations.push({ kind: 'vote', name: 'agent without a signature', reason: 'missing_signature',
  input: JSON.stringify({ ...smallest.vote, timestamp: time, agent_id: id('a') }) });
const signedVote = { ...smallest.vote, timestamp: time, agent_id: key.publicHex };
refusedOperations.push({ kind: 'vote', name: 'signed as a claim would be', reason: 'invalid_signature',
  input: JSON.stringify({ ...signedVote, signature: signWith(key, canonicalize(signedVote)) }) });
refusedOperations.push({ kind: 'vote', name: 'signature over another vote', reason: 'invalid_signature',
  input: JSON.stringify({ ...signedVote, weight: 0.9, signature: signWith(key, canonicalize(signedVote), domainOf('vote')) }) });

const signedRetraction = { ...smallest.retraction, timestamp: time, agent_id: key.publicHex };
refusedOperations.push({ kind: 'retraction', name: 'signed dry run', reason: 'invalid_request',
  input: JSON.stringify({ ...signedRetraction, dry_run: true, signature: signWith(key, canonicalize(signedRetraction), domainOf('retraction')) }) });

process.stdout.write(JSON.stringify({ domain, vectors, refused, operations, refused_operations: refusedOperations }, null, 1) + '\n');
