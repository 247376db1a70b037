// SPDX-License-Identifier: Apache-2.0
// Every call, against the server that STEMEDB_URL names. Its claims stand under a path of their own, client-js/….
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { StemeDB, StemeDBError, newKey, sign, verify } from '../stemedb.mjs';

const url = process.env.STEMEDB_URL;
const onServer = (name, body) => test(name, { skip: !url && 'STEMEDB_URL names no server' }, body);

const run = `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6)}`;
const root = `client-js/${run}`;
const key = await newKey();
const db = new StemeDB(`${url}/`, { key });
const anonymous = new StemeDB(url);

const claim = (path, fields) => ({ concept_path: `${root}/${path}`, predicate: 'p', value: 1, confidence: 0.5, ...fields });
const values = (answer) => answer.assertions.map((assertion) => assertion.value).sort();
const refused = (status, code, pointers) => (error) => {
  assert.ok(error instanceof StemeDBError, error);
  assert.deepEqual([error.status, error.code], [status, code]);
  if (pointers) assert.deepEqual(error.errors.map((one) => one.pointer), pointers);
  assert.ok(error.requestId && error.title && error.detail && error.type && error.message.includes(error.detail));
  return true;
};
async function allOf(iterator) {
  const list = [];
  for await (const item of iterator) list.push(item);
  return list;
}

onServer('a claim is signed, stored, and recognised when it is sent again', async () => {
  const signed = await sign('assertion', claim('once'), key);
  const first = await db.assert(signed);
  assert.equal(first.status, 'created');
  assert.deepEqual(await db.assert(signed), { ...first, status: 'duplicate' });
  const stored = await db.getAssertion(first.id);
  assert.deepEqual([stored.agent_id, stored.signature], [key.agentId, signed.signature]);
  assert.ok(await verify(stored));
});

onServer('every kind of value and every field goes through as it was signed', async () => {
  const parent = await db.assert(claim('fields'));
  const everything = { source: { id: 'š/1', class: 'expert', hash: 'h', url: 'https://example.org/' }, lifecycle: 'approved',
    epoch: 'e', parent: parent.id, derived_from: [parent.id], valid_from: new Date('2020-01-01'),
    valid_to: new Date('2021-01-01'), metadata: { b: [1, { '\u{1f600}': null }], a: 1e-7 } };
  for (const value of ['text é😀\u0000', -0, 1e21, 0.1, false, { ref: 'a/b' }]) {
    const stored = await db.getAssertion((await db.assert(claim('fields', { value, ...everything }))).id);
    assert.ok(await verify(stored), JSON.stringify(value));
    assert.deepEqual([stored.metadata, stored.valid_from], [everything.metadata, '2020-01-01T00:00:00.000Z']);
  }
});

onServer('without a key a claim is unsigned, and with several it has several signatures', async () => {
  const plain = await db.getAssertion((await anonymous.assert(claim('signers'))).id);
  assert.deepEqual([plain.agent_id, plain.signature], [undefined, undefined]);
  assert.ok(await verify(plain));
  const keys = [await newKey(), await newKey(), await newKey()];
  const shared = await sign('assertion', claim('signers'), ...keys);
  const stored = await db.getAssertion((await db.assert(shared)).id);
  assert.equal(stored.agent_id, keys[0].agentId);
  assert.deepEqual(stored.signatures.map((one) => one.agent_id), keys.map((one) => one.agentId));
  assert.ok(await verify(stored));
});

onServer('refusals are errors with their code and their fields', async () => {
  await assert.rejects(db.assert(claim('wrong', { confidence: 2 })), refused(400, 'invalid_request', ['/confidence']));
  await assert.rejects(db.query({ concept_path: root, lens: 'none such' }), refused(404, 'unknown_lens'));
  await assert.rejects(db.getAssertion('0'.repeat(64)), refused(404, 'unknown_assertion'));
  await assert.rejects(db.vote({ assertion_id: '0'.repeat(64), weight: 1 }), refused(404, 'unknown_assertion'));
  const signed = await sign('assertion', claim('wrong'), key);
  await assert.rejects(db.assert({ ...signed, value: 2 }), refused(401, 'invalid_signature'));
});

onServer('a batch of any size is split by count, with one result for each claim in their order', async () => {
  const claims = Array.from({ length: 25 }, (_, i) => claim('batch', { value: i, confidence: i % 10 === 3 ? 1.5 : 0.5 }));
  const total = await db.assertBatch(claims, { count: 10 });
  assert.deepEqual([total.created, total.duplicates, total.errors], [22, 0, 3]);
  assert.deepEqual(total.results.map((item) => item.index), claims.map((_, i) => i));
  for (const [i, item] of total.results.entries()) {
    assert.equal(item.status, i % 10 === 3 ? 'error' : 'created');
    if (item.status === 'error') assert.deepEqual([item.code, item.errors[0].pointer], ['invalid_request', `/${i}/confidence`]);
    else assert.equal((await db.getAssertion(item.id)).value, i);
  }
});

onServer('a batch is split by bytes, and may come from a stream', async () => {
  const count = 300, text = 'é'.repeat(30_000);  // 18 MB, more than one request may have
  async function* stream() {
    for (let i = 0; i < count; i += 1) yield claim('bytes', { value: `${i} ${text}` });
  }
  const total = await anonymous.assertBatch(stream());
  assert.deepEqual([total.created, total.errors, total.results.length], [count, 0, count]);
  const last = await db.getAssertion(total.results.at(-1).id);
  assert.equal(last.value, `${count - 1} ${text}`);
  assert.deepEqual(await db.assertBatch([]), { results: [], created: 0, duplicates: 0, errors: 0 });
});

onServer('an atomic batch is stored as a whole or not at all', async () => {
  const claims = [claim('atomic', { value: 1 }), claim('atomic', { value: 2, confidence: 2 })];
  await assert.rejects(db.assertBatch(claims, { atomic: true }), refused(400, 'invalid_request', ['/1/confidence']));
  assert.deepEqual(values(await db.query({ concept_path: `${root}/atomic` })), []);
  assert.equal((await db.assertBatch(claims.slice(0, 1), { atomic: true })).created, 1);
  const many = Array.from({ length: 10_001 }, (_, value) => claim('atomic', { value }));
  await assert.rejects(anonymous.assertBatch(many, { atomic: true }), RangeError);
  assert.deepEqual(values(await db.query({ concept_path: `${root}/atomic` })), [1]);
});

onServer('a question takes every field', async () => {
  const path = `${root}/asked`;
  const first = await db.assert(claim('asked', { value: 'old', confidence: 0.9, epoch: run, lifecycle: 'approved',
    source: { id: 's', class: 'expert' }, timestamp: new Date('2020-01-01'), valid_to: new Date('2022-01-01') }));
  await anonymous.assert(claim('asked', { value: 'new', confidence: 0.4, source: { id: 't', class: 'community' },
    timestamp: new Date('2024-01-01'), valid_from: new Date('2022-01-02') }));
  await db.assert(claim('asked', { predicate: 'q', value: 'other', timestamp: new Date('2024-01-01') }));
  const asked = async (fields) => values(await db.query({ concept_path: path, ...fields }));
  assert.deepEqual(await asked({}), ['new', 'old', 'other']);
  assert.deepEqual(await asked({ predicate: 'p' }), ['new', 'old']);
  assert.deepEqual(await asked({ as_of: first.sequence }), ['old']);
  assert.deepEqual(await asked({ since: first.sequence }), ['new', 'other']);
  assert.deepEqual(await asked({ since: new Date('2020-01-01') }), ['new', 'old', 'other']);
  assert.deepEqual(await asked({ valid_at: new Date('2021-06-01') }), ['old', 'other']);
  assert.deepEqual(await asked({ lifecycle: 'approved' }), ['old']);
  assert.deepEqual(await asked({ epoch: run }), ['old']);
  assert.deepEqual(await asked({ source_class: 'community' }), ['new']);
  assert.deepEqual(await asked({ agent_id: key.agentId }), ['old', 'other']);
  assert.deepEqual(await asked({ min_confidence: 0.9 }), ['old']);
  assert.deepEqual(await asked({ status: 'retracted' }), []);
  assert.deepEqual(await asked({ limit: 0 }), []);

  const question = { concept_path: path, predicate: 'p', lens: 'recency', limit: 0 };
  const answer = await db.query({ ...question, decay: { expert: null, community: 1 }, class_multipliers: { expert: 2 },
    include: ['candidates', 'explain'], params: { max_age_s: 0 }, fallback: 'consensus' });
  const [resolution] = answer.resolutions;
  assert.deepEqual([resolution.value, answer.lens.name], ['new', 'recency']);
  assert.deepEqual(resolution.candidates.map((one) => one.class_multiplier), [0.3, 2]);
  await db.assert(claim('asked', { value: 'newest' }));
  const again = await db.query({ ...question, as_of: answer.as_of });
  assert.equal(again.resolutions[0].value, 'new');
});

onServer('the assertions come page by page, as of the moment of the first', async () => {
  await anonymous.assertBatch(Array.from({ length: 25 }, (_, i) => claim('pages', { value: i })));
  const seen = [];
  for await (const assertion of db.assertions({ concept_path: `${root}/pages`, limit: 10 })) {
    if (seen.length === 5) await db.assert(claim('pages', { value: 'late' }));
    seen.push(assertion.value);
  }
  assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => 24 - i));
});

onServer('lenses are listed and put side by side', async () => {
  const { lenses } = await db.listLenses();
  assert.ok(lenses.some((lens) => lens.name === 'recency'));
  const older = claim('lenses', { value: 1, timestamp: new Date(0), confidence: 0.9 });
  await db.assertBatch([older, claim('lenses', { value: 2 })]);
  const { results } = await db.compareLenses({ concept_path: `${root}/lenses`, lenses: ['recency', 'confidence'] });
  assert.deepEqual(results.map((result) => [result.lens.name, result.resolutions[0].value]), [['recency', 2], ['confidence', 1]]);
});

onServer('votes are counted', async () => {
  const { id } = await db.assert(claim('votes'));
  const vote = await db.vote({ assertion_id: id, weight: 0.25 });
  assert.deepEqual([vote.status, vote.kind], ['created', 'vote']);
  await anonymous.vote({ assertion_id: id, weight: 1 });
  const { votes, operations } = await db.trace(id);
  assert.deepEqual(votes, { count: 2, weight: 1.25 });
  for (const operation of operations) assert.ok(await verify(operation));
});

onServer('one assertion takes the place of another', async () => {
  const [old, new_] = [await db.assert(claim('super', { value: 'old' })), await db.assert(claim('super', { value: 'new' }))];
  await db.supersede({ target: old.id, replacement: new_.id, reason: 'better' });
  assert.deepEqual(values(await db.query({ concept_path: `${root}/super` })), ['new']);
  assert.deepEqual(values(await db.query({ concept_path: `${root}/super`, status: 'superseded' })), ['old']);
  await assert.rejects(db.supersede({ target: new_.id, replacement: old.id }), refused(409, 'would_close_circle'));
});

onServer('a retraction says what would go, and then it goes', async () => {
  const source = { id: `${root}/a paper` };
  const first = await db.assert(claim('retract/a', { source }));
  const second = await db.assert(claim('retract/b', { derived_from: [first.id] }));
  const retraction = { source_id: source.id, cascade: true, reason: 'withdrawn' };
  const preview = await db.retract({ ...retraction, dry_run: true });
  assert.deepEqual([preview.status, preview.retracted, preview.cascaded, preview.id], ['dry_run', 2, 1, undefined]);
  assert.equal((await db.getAssertion(second.id)).status, 'active');
  const done = await db.retract(retraction);
  assert.deepEqual([done.status, done.retracted, done.cascaded], ['created', 2, 1]);
  assert.deepEqual(done.ids_sample, [first.id, second.id]);
  const { status, rests_on } = await db.trace(second.id);
  assert.deepEqual([status, rests_on[0].status], ['retracted', 'retracted']);

  await db.assertBatch([claim('gone/a'), claim('gone/b'), claim('gone')]);
  assert.equal((await db.retract({ concept_path: `${root}/gone/*`, cascade: false })).retracted, 2);
  assert.equal((await db.retract({ assertion_id: (await db.assert(claim('gone/c'))).id })).retracted, 1);
  assert.deepEqual(await allOf(db.assertions({ concept_path: `${root}/gone/*` })), []);
});

onServer('epochs follow each other', async () => {
  await db.createEpoch({ name: `${run}-1` });
  const epoch = await db.createEpoch({ name: `${run}-2`, supersedes: `${run}-1`, supersession_type: 'replaces' });
  assert.equal(epoch.kind, 'epoch');
  await assert.rejects(db.createEpoch({ name: `${run}-1` }), refused(409, 'epoch_exists'));
});

onServer('sources are registered, listed, read and given a status', async () => {
  const id = `${root}/ä?b#c%2F d`;
  await db.registerSource({ id, class: 'clinical', title: 'A trial', url: 'https://example.org/', hash: 'h', content: 'é\n' });
  await db.assert(claim('source', { source: { id } }));
  const one = await db.getSource(id);
  assert.deepEqual([one.status, one.source.id, one.source.content], ['active', id, 'é\n']);
  assert.ok(await verify(one.source));
  const review = await db.setSourceStatus(id, { status: 'under_review', reason: 'questions' });
  assert.deepEqual([review.kind, (await db.getSource(id)).status], ['source_status', 'under_review']);
  const preview = await db.setSourceStatus(id, { status: 'retracted', dry_run: true });
  assert.deepEqual([preview.status, preview.retracted], ['dry_run', 1]);
  assert.equal((await db.setSourceStatus(id, { status: 'retracted' })).retracted, 1);
  const listed = (await allOf(db.listSources({ limit: 1 }))).filter((entry) => entry.source.id === id);
  assert.deepEqual(listed.map((entry) => [entry.status, entry.source.content]), [['retracted', undefined]]);
});

onServer('an alias stands for another path', async () => {
  await db.assert(claim('named', { value: 'here' }));
  await db.createAlias({ alias: `${root}/other name`, concept_path: `${root}/named` });
  const answer = await db.query({ concept_path: `${root}/other name` });
  assert.deepEqual([answer.alias_of, values(answer)], [`${root}/named`, ['here']]);
});

onServer('an agent has a rank, which only an operator says', async () => {
  const agent = (await newKey()).agentId;
  assert.deepEqual(await db.getTrust(agent), { agent_id: agent, rank: 0.5, statement: null, history: [] });
  const said = await db.setTrust(agent, { rank: 0.25, reason: 'two forged figures' });
  assert.equal(said.kind, 'trust');
  await anonymous.setTrust(agent, { rank: 0.75 });
  const { rank, history } = await db.getTrust(agent);
  assert.deepEqual([rank, history.map((one) => one.trust)], [0.75, [0.75, 0.25]]);
  assert.equal(history[1].agent_id, key.agentId);
  for (const statement of history) assert.ok(await verify(statement));
});

onServer('an answer is brought up to date by what was said since', async () => {
  const path = `${root}/since`;
  const [first, second] = [await db.assert(claim('since', { value: 1 })), await db.assert(claim('since', { value: 2 }))];
  const before = await db.query({ concept_path: path });
  await db.supersede({ target: first.id, replacement: second.id });
  await db.assert(claim('since', { value: 3 }));
  const since = await db.query({ concept_path: path, since: before.as_of.sequence });
  assert.deepEqual([values(since), since.changes.map((change) => change.operation.kind)], [[3], ['supersession']]);
  assert.deepEqual(since.changes[0].claims,
    [{ id: first.id, sequence: first.sequence, from: 'active', to: 'superseded' }]);
});

onServer('the feed goes back from the newest record, and each of them proves itself', async () => {
  const { sequence } = await db.assert(claim('feed'));
  const vote = await db.vote({ assertion_id: (await db.assert(claim('feed', { value: 2 }))).id, weight: 1 });
  const seen = [];
  for await (const item of db.feed({ limit: 2 })) {
    const record = item.assertion ?? item.operation;
    seen.push(record.sequence);
    if (record.kind !== 'source') assert.ok(await verify(record), JSON.stringify(record));
    if (record.sequence <= sequence - 20) break;
  }
  assert.ok(seen.includes(sequence) && seen.includes(vote.sequence));
  assert.deepEqual(seen, seen.slice().sort((a, b) => b - a));
});

onServer('concepts are listed page by page', async () => {
  await db.assertBatch(['a', 'b', 'b/c'].map((name) => claim(`tree/${name}`)));
  const children = await allOf(db.listConcepts(`${root}/tree`, { limit: 1 }));
  assert.deepEqual(children.map((child) => [child.concept_path, child.assertion_count, child.assertion_count_below]),
    [[`${root}/tree/a`, 1, 0], [`${root}/tree/b`, 1, 1]]);
  assert.ok((await allOf(db.listConcepts())).some((child) => child.concept_path === 'client-js'));
});

onServer('a call can be stopped', async () => {
  await assert.rejects(db.health({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal((await db.health()).status, 'healthy');
});

const canWatch = url && (await fetch(`${url}/v1/watch?concept_path=${root}`).then(
  (answer) => { answer.body?.cancel(); return answer.status !== 404; }));
const onWatch = (name, body) => test(name, { skip: !canWatch && 'the server has no /v1/watch', timeout: 30_000 }, body);

onWatch('who watches sees claims, operations and changed answers, and goes on behind the last event', async ({ signal }) => {
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort());
  const watched = { concept_path: `${root}/watched/*`, lens: 'recency' };
  const events = db.watch(watched, { signal: stop.signal });
  const next = async (...wanted) => {
    const seen = [];
    while (seen.length < wanted.length) seen.push((await events.next()).value);
    assert.deepEqual(seen.map(({ event }) => event).sort(), wanted);
    return Object.fromEntries(seen.map((event) => [event.event, event]));
  };
  assert.match((await next('hello')).hello.id, /^\d+$/);
  const { id } = await db.assert(claim('watched/a', { value: 'first' }));
  const { assertion, resolution } = await next('assertion', 'resolution');
  assert.ok(await verify(assertion.data));
  assert.deepEqual([assertion.data.id, resolution.data.resolution.value], [id, 'first']);
  await db.vote({ assertion_id: id, weight: 1 });
  const { operation } = await next('operation');
  assert.deepEqual([operation.data.kind, await verify(operation.data)], ['vote', true]);
  stop.abort();
  assert.ok((await events.next()).done);

  const missed = await db.assert(claim('watched/b'));
  for await (const { event, data } of db.watch(watched, { lastEventId: operation.id, signal })) {
    if (event !== 'assertion') continue;
    assert.equal(data.id, missed.id);
    break;
  }
});

onWatch('a connection that is lost is made again, behind the last event', async (context) => {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  const between = createServer((socket) => {
    const server = connect(port, hostname);
    for (const one of [socket, server]) sockets.add(one.on('error', () => {}));
    socket.pipe(server).pipe(socket);
  });
  await new Promise((resolve) => between.listen(0, '127.0.0.1', resolve));
  context.after(() => { between.close(); sockets.forEach((socket) => socket.destroy()); });

  const seen = [];
  const asserted = () => db.assert(claim('lost', { value: seen.length }));
  const watcher = new StemeDB(`http://127.0.0.1:${between.address().port}`);
  for await (const { event, data } of watcher.watch({ concept_path: `${root}/lost` }, { signal: context.signal })) {
    seen.push(event === 'assertion' ? data.value : event);
    if (seen.length === 1) await asserted();
    if (seen.length === 2) {
      sockets.forEach((socket) => socket.destroy());
      await asserted();
    }
    if (seen.length === 4) break;
  }
  assert.deepEqual(seen, ['hello', 1, 'hello', 2]);
});

onWatch('what can not be watched is an error', async () => {
  await assert.rejects(db.watch({ concept_path: 'a//b' }).next(), refused(400, 'invalid_request', ['concept_path']));
  await assert.rejects(db.watch({ concept_path: root, lens: 'none such' }).next(), refused(404, 'unknown_lens'));
  await assert.rejects(new StemeDB('http://127.0.0.1:1').watch({ concept_path: root }).next(), TypeError);
});
