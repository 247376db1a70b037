// SPDX-License-Identifier: Apache-2.0
// What a real server says only when it is in trouble, from a server that says nothing else.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { StemeDB, StemeDBError, idOf } from '../stemedb.mjs';

let server, url, requests, refusals, heard;
const problem = { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'later', code: 'overloaded',
  request_id: 'r' };

before(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    requests.push({ body, time: Date.now() });
    heard?.();
    const refusal = refusals.shift();
    if (refusal) {
      const { status = 503, ...headers } = refusal;
      response.writeHead(status, { 'content-type': 'application/problem+json', ...headers });
      response.end(JSON.stringify(problem));
      return;
    }
    const records = body.trimEnd().split('\n').map((line) => JSON.parse(line));
    const results = await Promise.all(records.map(async (record, index) => ({
      index, status: 'created', id: await idOf('assertion', record), sequence: index + 1, recorded_at: record.timestamp })));
    response.end(JSON.stringify(request.url.includes('batch')
      ? { results, created: results.length, duplicates: 0, errors: 0 } : results[0]));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => { server.close(); server.closeAllConnections(); });
beforeEach(() => { requests = []; refusals = []; heard = undefined; });

const claim = (value) => ({ concept_path: 'a', predicate: 'b', value, confidence: 1 });
const now = { 'retry-after': '0' };
const code = (wanted) => (error) => error instanceof StemeDBError && error.code === wanted;

test('503 is waited out, and the same bytes are sent again', async () => {
  refusals = [now, now, now];
  const answer = await new StemeDB(url).assert(claim(1));
  assert.equal(answer.status, 'created');
  assert.equal(requests.length, 4);
  assert.equal(new Set(requests.map((request) => request.body)).size, 1);
});

test('Retry-After is waited for, in seconds or as a date', async () => {
  refusals = [{ 'retry-after': '1' }];
  await new StemeDB(url).assert(claim(1));
  assert.ok(requests[1].time - requests[0].time > 990);

  const date = new Date(Date.now() + 3000).toUTCString();
  [requests, refusals] = [[], [{ 'retry-after': date }]];
  await new StemeDB(url).assert(claim(1));
  assert.ok(requests[1].time > Date.parse(date) - 10);
});

test('after so many times it is an error, with all that the answer said', async () => {
  refusals = [now, now, now];
  await assert.rejects(new StemeDB(url, { retries: 2 }).assert(claim(1)), (error) => {
    assert.ok(error instanceof StemeDBError);
    assert.deepEqual({ ...error }, { name: 'StemeDBError', status: 503, code: 'overloaded', type: 'about:blank',
      title: 'Service Unavailable', detail: 'later', requestId: 'r', errors: [], retryAfter: 0, results: undefined });
    assert.equal(error.message, '503 overloaded: later');
    return true;
  });
  assert.equal(requests.length, 3);
});

test('a server that asks for more than is wanted is not waited for', async () => {
  refusals = [{ 'retry-after': '31' }];
  await assert.rejects(new StemeDB(url).assert(claim(1)), (error) => code('overloaded')(error) && error.retryAfter === 31);
  assert.equal(requests.length, 1);
});

test('nothing but 503 is waited out', async () => {
  for (const status of [429, 500, 502, 504]) {
    refusals = [{ status, ...now }];
    requests = [];
    await assert.rejects(new StemeDB(url).assert(claim(1)), { name: 'StemeDBError', status });
    assert.equal(requests.length, 1);
  }
});

test('a batch goes on where it was held up', async () => {
  refusals = [undefined, now];
  const total = await new StemeDB(url).assertBatch([1, 2, 3, 4, 5].map(claim), { count: 2 });
  assert.deepEqual(requests.map((request) => request.body.trimEnd().split('\n').length), [2, 2, 2, 1]);
  assert.equal(requests[1].body, requests[2].body);
  assert.deepEqual([total.created, total.results.map((item) => item.index)], [5, [0, 1, 2, 3, 4]]);
});

test('a batch that is given up tells what was stored before', async () => {
  refusals = [undefined, now];
  await assert.rejects(new StemeDB(url, { retries: 0 }).assertBatch([1, 2, 3, 4].map(claim), { count: 2 }),
    (error) => code('overloaded')(error) && error.results.length === 2 && error.results[1].status === 'created');
});

test('who waits can stop', async () => {
  refusals = [{ 'retry-after': '20' }];
  const reason = new Error('enough');
  const stop = new AbortController();
  heard = () => setTimeout(() => stop.abort(reason), 50);
  await assert.rejects(new StemeDB(url).assert(claim(1), { signal: stop.signal }), reason);
  assert.equal(requests.length, 1);
});
