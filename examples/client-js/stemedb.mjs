// SPDX-License-Identifier: Apache-2.0
/**
 * A client for StemeDB in one file, for Node 18 or newer and for browsers. It uses what the platform brings: fetch,
 * SHA-256, and Ed25519 from WebCrypto, or from node:crypto where there is no WebCrypto (Node 18).
 *
 *     const db = new StemeDB('http://127.0.0.1:18180', { key: await newKey() });
 *     await db.assert({ concept_path: 'weather/zagreb', predicate: 'sky', value: 'rain', confidence: 0.9 });
 *     const { resolutions } = await db.query({ concept_path: 'weather/zagreb', lens: 'recency' });
 *
 * Methods have the names of the OpenAPI document's operations and take its fields as they are spelled there; this file
 * says what a client adds. docs/http-api.md tells what the calls do, docs/identity.md what is hashed and signed.
 *
 * Whatever is written gets its timestamp here, and its text is sent as it was signed. So a call can be repeated: the
 * server recognises it, and answers with the status "duplicate".
 *
 * @module stemedb
 */

/** @typedef {string | number | boolean | {ref: string}} Value */
/** @typedef {'regulatory' | 'clinical' | 'observational' | 'expert' | 'community' | 'anecdotal'} SourceClass */
/** @typedef {'proposed' | 'under_review' | 'approved' | 'deprecated' | 'rejected'} Lifecycle */
/** @typedef {string | Date} Time  a string in the canonical form, 2026-02-11T10:00:00.000Z */
/** @typedef {number | Time} Moment  a sequence or a time */

/**
 * @typedef {object} Claim
 * @property {string} concept_path
 * @property {string} predicate
 * @property {Value} value
 * @property {number} confidence  0 to 1
 * @property {{id?: string, class?: SourceClass, hash?: string, url?: string}} [source]
 * @property {Time} [timestamp]  when it was claimed; now, if it is left out
 * @property {Time} [valid_from]
 * @property {Time} [valid_to]
 * @property {Lifecycle} [lifecycle]
 * @property {string} [epoch]
 * @property {string} [parent]  id of the assertion that this is a later stage of
 * @property {string[]} [derived_from]  ids of the assertions that this follows from
 * @property {Record<string, unknown>} [metadata]
 * @property {string} [agent_id]  with `signature` or `signatures`: it is signed already and is sent as it is
 * @property {string} [signature]
 * @property {{agent_id: string, signature: string}[]} [signatures]
 */

/**
 * What every question may say besides its `concept_path`.
 *
 * @typedef {object} Filters
 * @property {string} [predicate]
 * @property {Record<string, string | number | boolean>} [params]  the lens's parameters
 * @property {Moment | {sequence: number, time: string}} [as_of]  a moment, or the `as_of` of an answer, to repeat it
 * @property {Time} [valid_at]
 * @property {Moment} [since]
 * @property {'active' | 'superseded' | 'retracted' | 'any'} [status]
 * @property {Lifecycle} [lifecycle]
 * @property {string} [epoch]
 * @property {SourceClass} [source_class]
 * @property {string} [agent_id]
 * @property {number} [min_confidence]
 * @property {boolean | number | Partial<Record<SourceClass, number | null>>} [decay]
 * @property {number[] | Partial<Record<SourceClass, number>>} [class_multipliers]
 * @property {('candidates' | 'explain')[]} [include]
 * @property {number} [limit]  how many assertions are shown, and how many changes; 0 shows resolutions alone
 * @property {string} [cursor]
 */

/** @typedef {{concept_path: string, lens?: string, fallback?: string} & Filters} Question */

/**
 * @typedef {object} Resolution
 * @property {string} concept_path
 * @property {string} predicate
 * @property {string | null} winner  the winning assertion's id
 * @property {Value | null} value
 * @property {number} confidence
 * @property {number} conflict_score
 * @property {'unanimous' | 'agreed' | 'contested' | 'none'} status
 * @property {number} candidates_count
 * @property {{value: Value, weight: number, share: number, assertion_ids: string[], assertions_count: number}[]} claims
 * @property {string} explain
 * @property {any[]} [layers]
 * @property {any[]} [candidates]
 * @property {any} [details]
 */

/**
 * @typedef {object} Answer
 * @property {string} concept_path
 * @property {string} [alias_of]
 * @property {{name: string, version: string, sha256: string, generation: number} | null} lens
 * @property {any} [fallback_from]
 * @property {any[]} assertions
 * @property {any[]} [changes]  with `since`: what else came in since and concerns the question
 * @property {Resolution[]} resolutions
 * @property {{sequence: number, time: string}} as_of
 * @property {string} [next_cursor]
 */

/** @typedef {{status: 'created' | 'duplicate', id: string, sequence: number, recorded_at: string}} Stored */

/**
 * One claim's result in a batch: Stored, or `status` "error" with `code`, `detail` and `errors`.
 *
 * @typedef {{index: number, status: string, id?: string, sequence?: number, recorded_at?: string, code?: string,
 *   detail?: string, errors?: {pointer: string, detail: string}[]}} ItemResult
 */

/** @typedef {{signal?: AbortSignal}} CallOptions */

// ---------------------------------------------------------------------------------------------- canonical form

/**
 * The RFC 8785 form of a value. ECMAScript's own number form, string form and order of keys are the ones prescribed.
 * Members that are undefined are left out.
 *
 * @param {any} value
 * @returns {string}
 * @throws {TypeError} for what JSON can't say: NaN, Infinity, bigint, lone surrogates, Date, Map, functions, …
 */
export function canonicalize(value) {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return JSON.stringify(value);
    throw new TypeError(`${value} has no form in JSON`);
  }
  if (typeof value === 'string') {
    if (!/\p{Surrogate}/u.test(value)) return JSON.stringify(value);  // with /u only a lone one matches
    throw new TypeError('text with a lone surrogate has no form in UTF-8');
  }
  if (Array.isArray(value)) return `[${Array.from(value, canonicalize).join()}]`;
  if (Object.prototype.toString.call(value) === '[object Object]') {
    const names = Object.keys(value).filter((name) => value[name] !== undefined).sort();
    return `{${names.map((name) => `${canonicalize(name)}:${canonicalize(value[name])}`).join()}}`;
  }
  throw new TypeError(`${typeof value === 'object' ? value?.constructor?.name : typeof value} has no form in JSON`);
}

const encoder = new TextEncoder();
const hexOf = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const bytesOfHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const bytesOfBase64 = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (unit) => unit.charCodeAt(0));

// ---------------------------------------------------------------------------------------------- what the platform has

const ED25519 = 'Ed25519';

const webCrypto = (crypto) => ({
  random: (count) => crypto.getRandomValues(new Uint8Array(count)),
  sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
  async load(pkcs8) {
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, ED25519, true, ['sign']);
    return {
      jwk: await crypto.subtle.exportKey('jwk', key),
      sign: async (bytes) => new Uint8Array(await crypto.subtle.sign(ED25519, key, bytes)),
    };
  },
  async verify(publicKey, signature, bytes) {
    const key = await crypto.subtle.importKey('raw', publicKey, ED25519, false, ['verify']);
    return crypto.subtle.verify(ED25519, key, signature, bytes);
  },
});

const nodeCrypto = (crypto) => ({
  random: (count) => new Uint8Array(crypto.randomBytes(count)),
  sha256: async (bytes) => new Uint8Array(crypto.createHash('sha256').update(bytes).digest()),
  async load(pkcs8) {
    const key = crypto.createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    return {
      jwk: key.export({ format: 'jwk' }),
      sign: async (bytes) => new Uint8Array(crypto.sign(null, bytes, key)),
    };
  },
  async verify(publicKey, signature, bytes) {
    const jwk = { kty: 'OKP', crv: ED25519, x: Buffer.from(publicKey).toString('base64url') };
    return crypto.verify(null, bytes, crypto.createPublicKey({ key: jwk, format: 'jwk' }), signature);
  },
});

async function loadPlatform() {
  if (globalThis.crypto?.subtle) return webCrypto(globalThis.crypto);
  if (globalThis.process?.versions?.node) return nodeCrypto(await import('node:crypto'));
  throw new Error('no WebCrypto here: browsers have it on https:// and on localhost');
}

/** @type {ReturnType<typeof loadPlatform> | undefined} */
let loading;
const platform = () => (loading ??= loadPlatform());

// ---------------------------------------------------------------------------------------------- keys

const PKCS8_FRONT = '302e020100300506032b657004220420';  // RFC 8410; the 32 bytes of the seed follow

/** An agent's key pair. Make one with `newKey` or `importKey`. */
export class Key {
  #seed;
  #sign;

  /**
   * @param {string} agentId
   * @param {string} seed
   * @param {(bytes: Uint8Array) => Promise<Uint8Array>} sign
   */
  constructor(agentId, seed, sign) {
    /** The public key, 64 hex digits: the agent's name. */
    this.agentId = agentId;
    this.#seed = seed;
    this.#sign = sign;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Promise<string>} the signature in hex
   */
  async sign(bytes) {
    return hexOf(await this.#sign(bytes));
  }

  /** The secret, as `importKey` takes it: 64 hex digits, the seed of RFC 8032. Keep it where nobody reads it. */
  exportSeed() {
    return this.#seed;
  }

  /** The secret as a PKCS#8 file, which OpenSSL and `importKey` read. */
  exportPem() {
    const base64 = btoa(String.fromCharCode(...bytesOfHex(PKCS8_FRONT + this.#seed)));
    return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
  }
}

/** A new key pair. */
export async function newKey() {
  return importKey(hexOf((await platform()).random(32)));
}

/**
 * @param {string} secret  the seed as 64 hex digits, or a PKCS#8 file's text (`openssl genpkey -algorithm ed25519`)
 * @returns {Promise<Key>}
 */
export async function importKey(secret) {
  const pem = /^-----BEGIN PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END PRIVATE KEY-----\s*$/.exec(secret);
  const hex = pem ? hexOf(bytesOfBase64(pem[1].replace(/\s/g, ''))) : PKCS8_FRONT + secret.toLowerCase();
  if (!/^[0-9a-f]{96}$/.test(hex) || !hex.startsWith(PKCS8_FRONT)) {
    throw new TypeError('neither 64 hex digits nor the PKCS#8 file of an Ed25519 key');
  }
  const { jwk, sign } = await (await platform()).load(bytesOfHex(hex));
  return new Key(hexOf(bytesOfBase64(jwk.x)), hex.slice(PKCS8_FRONT.length), sign);
}

// ---------------------------------------------------------------------------------------------- ids and signatures

/** By kind, the members that are hashed and signed; of all kinds also `agent_id` and `timestamp`. */
const MEMBERS = {
  assertion: ['concept_path', 'predicate', 'value', 'confidence', 'source', 'lifecycle', 'epoch', 'parent',
    'derived_from', 'valid_from', 'valid_to', 'metadata'],
  vote: ['assertion_id', 'weight'],
  supersession: ['target', 'replacement', 'reason'],
  retraction: ['assertion_id', 'concept_path', 'source_id', 'cascade', 'reason'],
  epoch: ['name', 'supersedes', 'supersession_type'],
  source: ['id', 'class', 'title', 'url', 'hash', 'content'],
  source_status: ['id', 'status', 'reason'],
  alias: ['alias', 'concept_path'],
  trust: ['agent', 'trust', 'reason'],
};
const TIMES = ['timestamp', 'valid_from', 'valid_to'];
const CANONICAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** @typedef {keyof typeof MEMBERS} Kind */
/** @typedef {Record<string, any>} Fields */

const signersOf = (record) =>
  record.signatures ?? (record.signature ? [{ agent_id: record.agent_id, signature: record.signature }] : []);

/**
 * The text whose bytes are hashed and signed: the domain's line, and the canonical form of the record's own members.
 * What a server adds to them is left out.
 *
 * @param {Kind} kind
 * @param {Fields} record
 * @returns {string}
 */
export function canonicalText(kind, record) {
  /** @type {Fields} */
  const own = { agent_id: record.agent_id ?? signersOf(record)[0]?.agent_id, timestamp: record.timestamp };
  for (const name of MEMBERS[kind]) own[name] = record[name];
  if (own.cascade === false) delete own.cascade;
  return `stemedb/${kind}/v1\n${canonicalize(own)}`;
}

/**
 * @param {Kind} kind
 * @param {Fields} record  complete, with its timestamp and agent_id
 * @returns {Promise<string>}
 */
export async function idOf(kind, record) {
  return hexOf(await (await platform()).sha256(encoder.encode(canonicalText(kind, record))));
}

/**
 * Completes and signs a claim (`kind` "assertion") or an operation, to be sent now or later, here or by somebody else.
 * The first key is the author's; who signs besides vouches for the same text. Without keys it is only completed.
 *
 * @param {Kind} kind
 * @param {Fields} fields
 * @param {...Key} keys
 * @returns {Promise<Fields>}
 */
export async function sign(kind, fields, ...keys) {
  const record = completed(kind, fields);
  if (keys.length === 0) return record;
  if (signersOf(record).length > 0) throw new TypeError(`the ${kind} is signed already`);
  record.agent_id = keys[0].agentId;
  const bytes = encoder.encode(canonicalText(kind, record));
  const signatures = [];
  for (const key of keys) signatures.push({ agent_id: key.agentId, signature: await key.sign(bytes) });
  return { ...record, ...(keys.length === 1 ? { signature: signatures[0].signature } : { signatures }) };
}

/**
 * Whether an assertion or an operation, as a server shows it, has the id that it says and only good signatures. An
 * unsigned one has none to check. Sources can't be checked in lists, which leave out their content.
 *
 * @param {Fields} record
 * @returns {Promise<boolean>}
 */
export async function verify(record) {
  const kind = record.kind ?? 'assertion';
  if (!Object.hasOwn(MEMBERS, kind)) return false;
  const signers = signersOf(record);
  if (record.agent_id !== undefined && record.agent_id !== signers[0]?.agent_id) return false;
  if (await idOf(kind, record) !== (record.operation_id ?? record.id)) return false;
  const bytes = encoder.encode(canonicalText(kind, record));
  const { verify: isSignedBy } = await platform();
  for (const { agent_id, signature } of signers) {
    const good = await isSignedBy(bytesOfHex(agent_id), bytesOfHex(signature), bytes).catch(() => false);
    if (!good) return false;
  }
  return true;
}

/** A copy with a timestamp and with times as text. A misspelt member would be signed for nothing: it is refused. */
function completed(kind, fields) {
  const isSigned = signersOf(fields).length > 0;
  const allowed = [...MEMBERS[kind], 'timestamp', ...(isSigned ? ['agent_id', 'signature', 'signatures'] : [])];
  /** @type {Fields} */
  const record = isSigned ? {} : { timestamp: new Date().toISOString() };
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (!allowed.includes(name)) throw new TypeError(`${kind} has no member ${name}, only ${allowed.join(', ')}`);
    record[name] = value instanceof Date ? value.toISOString() : value;
    if (TIMES.includes(name) && !CANONICAL_TIME.test(record[name])) {
      throw new TypeError(`${name} is neither a Date nor of the form 2026-02-11T10:00:00.000Z`);
    }
  }
  return record;
}

// ---------------------------------------------------------------------------------------------- errors

/** An answer of 400 and above. Programs read `code`, which is stable; people read `message`. */
export class StemeDBError extends Error {
  /**
   * @param {number} status
   * @param {Fields} problem  RFC 9457; of an answer that is none (a proxy's, say) only what it has
   * @param {number} [retryAfter]
   */
  constructor(status, problem, retryAfter) {
    const wrong = (problem.errors ?? []).map((one) => ` [${one.pointer}: ${one.detail}]`);
    super(`${status} ${problem.code ?? ''}: ${problem.detail ?? problem.title ?? ''}${wrong.join('')}`);
    this.name = 'StemeDBError';
    this.status = status;
    /** @type {string} */
    this.code = problem.code;
    /** @type {string} */
    this.type = problem.type;
    /** @type {string} */
    this.title = problem.title;
    /** @type {string} */
    this.detail = problem.detail;
    /** @type {string} names the request in the server's log */
    this.requestId = problem.request_id;
    /** @type {{pointer: string, detail: string}[]} the wrong fields */
    this.errors = problem.errors ?? [];
    /** Seconds after which the server may be asked again. */
    this.retryAfter = retryAfter;
    /** @type {ItemResult[] | undefined} of a batch in several requests: what came back before this one was refused */
    this.results = undefined;
  }
}

async function errorOf(answer) {
  const text = await answer.text();
  const after = answer.headers.get('retry-after');
  const seconds = after === null ? undefined
    : /^\d+$/.test(after) ? Number(after) : Math.max(0, (Date.parse(after) - Date.now()) / 1000) || 0;
  let problem;
  try {
    problem = JSON.parse(text);
  } catch {
    problem = { title: answer.statusText, detail: text.slice(0, 200) };
  }
  return new StemeDBError(answer.status, Object(problem), seconds);
}

/** @param {number} ms @param {AbortSignal} [signal] */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal?.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(undefined); }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

// ---------------------------------------------------------------------------------------------- the client

const COUNT_MAX = 10_000, BYTES_MAX = 16 * 2 ** 20;  // of one batch, by the server

/** One server, and the agent that speaks to it. */
export class StemeDB {
  #base;
  #options;

  /**
   * @param {string} [url]
   * @param {object} [options]
   * @param {Key} [options.key]  signs whatever is written and isn't signed yet; without one it is sent unsigned, which
   *   a server takes from its own machine only
   * @param {number} [options.retries]  how often a call is sent again after 503, each time when `Retry-After` is over
   * @param {number} [options.waitSecondsMax]  a server that asks for more is not waited for
   * @param {Record<string, string>} [options.headers]  of every request
   */
  constructor(url = 'http://127.0.0.1:18180', { key, retries = 5, waitSecondsMax = 30, headers = {} } = {}) {
    this.#base = url.replace(/\/+$/, '');
    this.#options = { keys: key ? [key] : [], retries, waitSecondsMax, headers };
  }

  // Writing

  /**
   * Stores a claim. When it returns, the claim is on disk, and questions see it.
   *
   * @param {Claim} claim
   * @param {CallOptions} [options]
   * @returns {Promise<Stored>}
   */
  async assert(claim, options) {
    return this.#write('assertion', 'POST', '/v1/assert', claim, options);
  }

  /**
   * Stores any number of claims, in as many requests as `count` and `bytes` make of them, one after the other. A claim
   * that the server refuses has `status` "error" in its place and doesn't hold back the others.
   *
   * @param {Iterable<Claim> | AsyncIterable<Claim>} claims
   * @param {object} [options]
   * @param {number} [options.count]  claims in a request, 10,000 at most
   * @param {number} [options.bytes]  bytes in a request, 16 MiB at most
   * @param {boolean} [options.atomic]  all or nothing; then all must fit into one request
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<{results: ItemResult[], created: number, duplicates: number, errors: number}>}
   * @throws {StemeDBError} when a request is refused as a whole; its `results` are those of the requests before it
   */
  async assertBatch(claims, { count = 1000, bytes = 4 * 2 ** 20, atomic = false, signal } = {}) {
    [count, bytes] = atomic ? [COUNT_MAX, BYTES_MAX] : [Math.min(count, COUNT_MAX), Math.min(bytes, BYTES_MAX)];
    /** @type {ItemResult[]} */
    const results = [];
    const total = { results, created: 0, duplicates: 0, errors: 0 };
    for await (const { lines, ids, isLast } of this.#batches(claims, count, bytes)) {
      if (atomic && !isLast) throw new RangeError('too much for one request, and only one request is atomic');
      let answer;
      try {
        answer = await this.#send('POST', `/v1/assert/batch${atomic ? '?atomic=true' : ''}`, lines.join(''),
          { signal, type: 'application/x-ndjson' });
      } catch (error) {
        if (error instanceof StemeDBError) error.results = results;
        throw error;
      }
      for (const item of answer.results) {
        if (item.id) expectId(item.id, ids[item.index]);
        results.push(moved(item, results.length));
      }
      for (const name of (['created', 'duplicates', 'errors'])) total[name] += answer[name];
    }
    return total;
  }

  async *#batches(claims, count, bytes) {
    let lines = [], ids = [], size = 0;
    for await (const claim of claims) {
      const record = await sign('assertion', claim, ...this.#keysFor(claim));
      const line = `${canonicalize(record)}\n`;
      const length = encoder.encode(line).length;
      if (lines.length > 0 && (lines.length >= count || size + length > bytes)) {
        yield { lines, ids, isLast: false };
        [lines, ids, size] = [[], [], 0];
      }
      lines.push(line);
      ids.push(await idOf('assertion', record));
      size += length;
    }
    if (lines.length > 0) yield { lines, ids, isLast: true };
  }

  /**
   * Says how far the agent believes an assertion. Its later vote takes the earlier one's place.
   *
   * @param {{assertion_id: string, weight: number, timestamp?: Time}} vote
   * @param {CallOptions} [options]
   */
  async vote(vote, options) {
    return this.#write('vote', 'POST', '/v1/vote', vote, options);
  }

  /**
   * Puts one assertion in the place of another.
   *
   * @param {{target: string, replacement: string, reason?: string, timestamp?: Time}} supersession
   * @param {CallOptions} [options]
   */
  async supersede(supersession, options) {
    return this.#write('supersession', 'POST', '/v1/supersede', supersession, options);
  }

  /**
   * Takes back an assertion, all at a path (`/*` behind it: all below), or all of a source; with `cascade` what is
   * derived from them as well. With `dry_run` it only says what would go, and isn't signed.
   *
   * @param {{assertion_id?: string, concept_path?: string, source_id?: string, cascade?: boolean, reason?: string,
   *   dry_run?: boolean, timestamp?: Time}} retraction  one of the first three
   * @param {CallOptions} [options]
   */
  async retract(retraction, options) {
    return this.#write('retraction', 'POST', '/v1/retract', retraction, options);
  }

  /**
   * @param {{name: string, supersedes?: string, supersession_type?: 'replaces' | 'corrects' | 'expires',
   *   timestamp?: Time}} epoch
   * @param {CallOptions} [options]
   */
  async createEpoch(epoch, options) {
    return this.#write('epoch', 'POST', '/v1/epoch', epoch, options);
  }

  /**
   * Says what the `source.id` of claims stands for.
   *
   * @param {{id: string, class?: SourceClass, title?: string, url?: string, hash?: string, content?: string,
   *   timestamp?: Time}} source
   * @param {CallOptions} [options]
   */
  async registerSource(source, options) {
    return this.#write('source', 'POST', '/v1/source', source, options);
  }

  /**
   * @param {string} id  the source's
   * @param {{status: 'active' | 'under_review' | 'deprecated' | 'retracted', reason?: string, dry_run?: boolean,
   *   timestamp?: Time}} change
   * @param {CallOptions} [options]
   */
  async setSourceStatus(id, change, options) {
    return this.#write('source_status', 'PATCH', `/v1/sources/${encodeURIComponent(id)}`, { ...change, id }, options);
  }

  /**
   * Lets one concept path stand for another.
   *
   * @param {{alias: string, concept_path: string, timestamp?: Time}} alias
   * @param {CallOptions} [options]
   */
  async createAlias(alias, options) {
    return this.#write('alias', 'POST', '/v1/concepts/alias', alias, options);
  }

  /**
   * Says how far an agent is trusted, from 0 to 1. An operator's call: taken on the server's own machine alone.
   *
   * @param {string} agent  its key
   * @param {{rank: number, reason?: string, timestamp?: Time}} statement
   * @param {CallOptions} [options]
   */
  async setTrust(agent, { rank, ...statement }, options) {
    const path = `/v1/admin/trust/${encodeURIComponent(agent)}`;
    return this.#write('trust', 'POST', path, { ...statement, agent, trust: rank }, options);
  }

  // Asking

  /**
   * @param {Question} question
   * @param {CallOptions} [options]
   * @returns {Promise<Answer>}
   */
  async query(question, options) {
    return this.#send('POST', '/v1/query', JSON.stringify(question), options);
  }

  /**
   * All assertions that a question covers, page by page, as of the moment of the first page.
   *
   * @param {Question} question  `limit` is the size of a page
   * @param {CallOptions} [options]
   */
  async *assertions(question, options) {
    let cursor = question.cursor;
    do {
      const page = await this.query({ ...question, cursor }, options);
      yield* page.assertions;
      cursor = page.next_cursor;
    } while (cursor !== undefined);
  }

  /**
   * One question through several lenses.
   *
   * @param {{concept_path: string, lenses: string[]} & Filters} question
   * @param {CallOptions} [options]
   */
  async compareLenses(question, options) {
    return this.#send('POST', '/v1/lenses/compare', JSON.stringify(question), options);
  }

  /** @param {CallOptions} [options] */
  async listLenses(options) {
    return this.#send('GET', '/v1/lenses', undefined, options);
  }

  /** @param {string} id @param {CallOptions} [options] */
  async getAssertion(id, options) {
    return this.#send('GET', `/v1/assertions/${encodeURIComponent(id)}`, undefined, options);
  }

  /** Where an assertion comes from, and what was said about it. @param {string} id @param {CallOptions} [options] */
  async trace(id, options) {
    return this.#send('GET', `/v1/trace/${encodeURIComponent(id)}`, undefined, options);
  }

  /** @param {string} id @param {CallOptions} [options] */
  async getSource(id, options) {
    return this.#send('GET', `/v1/sources/${encodeURIComponent(id)}`, undefined, options);
  }

  /** How far an agent is trusted, and why; an operator's call. @param {string} agent @param {CallOptions} [options] */
  async getTrust(agent, options) {
    return this.#send('GET', `/v1/admin/trust/${encodeURIComponent(agent)}`, undefined, options);
  }

  /** All registered sources. @param {CallOptions & {limit?: number}} [options]  `limit` is the size of a page */
  async *listSources({ limit, signal } = {}) {
    yield* this.#listed('/v1/sources', { limit }, 'sources', signal);
  }

  /** Whatever was recorded, newest first, to the beginning. @param {CallOptions & {limit?: number}} [options] */
  async *feed({ limit, signal } = {}) {
    yield* this.#listed('/v1/feed', { limit }, 'items', signal);
  }

  /** Children of a path, or the roots. @param {string} [prefix] @param {CallOptions & {limit?: number}} [options] */
  async *listConcepts(prefix, { limit, signal } = {}) {
    yield* this.#listed('/v1/concepts', { prefix, limit }, 'concepts', signal);
  }

  /** @param {CallOptions} [options] */
  async health(options) {
    return this.#send('GET', '/v1/health', undefined, options);
  }

  /**
   * What happens at a path, as it happens. The loop ends when `signal` is aborted, and not by itself: a connection that
   * is lost, or silent for too long, or refused with 429 or 503, is made again after a pause that doubles, and goes on
   * behind the last event. Other refusals are thrown, and so is a failure to reach the server for the first time.
   *
   * @param {{concept_path: string, predicate?: string, lens?: string,
   *   params?: Record<string, string | number | boolean>}} question
   * @param {object} [options]
   * @param {AbortSignal} [options.signal]
   * @param {string} [options.lastEventId]  goes on behind this event
   * @param {number} [options.silenceSecondsMax]  the server says something every 15 seconds
   * @returns {AsyncGenerator<{id: string, event: string, data: any}>}
   */
  async *watch(question, { signal, lastEventId = '', silenceSecondsMax = 45 } = {}) {
    let hasReached = false, failures = 0, firstPause = 1;
    while (!signal?.aborted) {
      const connection = new AbortController();
      const stop = () => connection.abort();
      signal?.addEventListener('abort', stop, { once: true });
      let silence = setTimeout(stop, silenceSecondsMax * 1000);
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(stop, silenceSecondsMax * 1000);
      };
      let wait = 0;
      try {
        const headers = { ...this.#options.headers, accept: 'text/event-stream' };
        if (lastEventId) headers['last-event-id'] = lastEventId;
        const path = `/v1/watch${parametersOf(question)}`;
        const answer = await fetch(this.#base + path, { headers, signal: connection.signal });
        hasReached = true;
        if (!answer.ok) throw await errorOf(answer);
        for await (const { id, event, data, retry } of eventsOf(chunksOf(answer, heard), lastEventId)) {
          failures = 0;
          lastEventId = id;
          if (retry !== undefined) firstPause = retry / 1000;
          if (data !== undefined) yield { id, event, data: JSON.parse(data) };
        }
      } catch (error) {
        const isTemporary = error instanceof StemeDBError ? error.status === 429 || error.status === 503
          : hasReached || connection.signal.aborted;
        if (!isTemporary || error instanceof SyntaxError) throw error;
        wait = error.retryAfter ?? 0;
      } finally {
        clearTimeout(silence);
        signal?.removeEventListener('abort', stop);
        connection.abort();
      }
      wait = Math.max(wait, Math.min(firstPause * 2 ** failures, 60));
      failures += 1;
      await pause(wait * (1 + Math.random() / 4) * 1000, signal).catch(() => {});
    }
  }

  // How it is sent

  #keysFor(fields) {
    return signersOf(fields).length > 0 ? [] : this.#options.keys;
  }

  /**
   * @param {Kind} kind
   * @param {string} method
   * @param {string} path
   * @param {Fields} fields
   * @param {CallOptions} [options]
   */
  async #write(kind, method, path, { dry_run, ...fields }, options) {
    if (dry_run) {  // is never signed: without its dry_run it would be a signed order
      const { agent_id, signature, signatures, ...plain } = fields;
      return this.#send(method, path, canonicalize({ ...await sign(kind, plain), dry_run }), options);
    }
    const record = await sign(kind, fields, ...this.#keysFor(fields));
    const answer = await this.#send(method, path, canonicalize(record), options);
    if (answer.id) expectId(answer.id, await idOf(kind, record));
    return answer;
  }

  async *#listed(path, fields, list, signal) {
    let cursor;
    do {
      const page = await this.#send('GET', path + parametersOf({ ...fields, cursor }), undefined, { signal });
      yield* page[list];
      cursor = page.next_cursor;
    } while (cursor !== undefined);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string} [body]
   * @param {CallOptions & {type?: string}} [options]
   * @returns {Promise<any>}
   */
  async #send(method, path, body, { signal, type = 'application/json' } = {}) {
    const { retries, waitSecondsMax } = this.#options;
    const headers = body === undefined ? this.#options.headers : { ...this.#options.headers, 'content-type': type };
    for (let attempt = 0; ; attempt += 1) {
      const answer = await fetch(this.#base + path, { method, body, signal, headers });
      if (answer.ok) return answer.json();
      const error = await errorOf(answer);
      const seconds = error.retryAfter ?? 1;
      if (error.status !== 503 || attempt >= retries || seconds > waitSecondsMax) throw error;
      await pause(seconds * 1000 + Math.random() * 250, signal);
    }
  }
}

/** A result of one request at its place among those of all; its pointers say the place too: `/3/confidence`. */
function moved(item, index) {
  const errors = item.errors?.map((one) => ({ ...one, pointer: one.pointer.replace(/^\/\d+/, `/${index}`) }));
  return { ...item, index, ...(errors && { errors }) };
}

function expectId(theirs, ours) {
  if (theirs !== ours) throw new Error(`the server's id ${theirs} is not ours, ${ours}: we don't canonicalise alike`);
}

/** As GET takes the fields of a question: lists with commas, objects as JSON. */
function parametersOf(fields) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = value instanceof Date ? value.toISOString()
      : Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join()
      : typeof value === 'object' ? JSON.stringify(value) : String(value);
    parameters.set(name, text);
  }
  const text = parameters.toString();
  return text && `?${text}`;
}

// ---------------------------------------------------------------------------------------------- server-sent events

async function* chunksOf(answer, onBytes) {
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    yield value;
  }
}

/**
 * The events of a `text/event-stream`, as the HTML standard reads it. A block that only sets `id` or `retry` comes
 * without `data`; an unfinished one at the end doesn't come.
 *
 * @param {AsyncIterable<Uint8Array>} chunks
 * @param {string} [id]  the last one before
 * @returns {AsyncGenerator<{id: string, event: string, data?: string, retry?: number}>}
 */
export async function* eventsOf(chunks, id = '') {
  const decoder = new TextDecoder();
  let rest = '';
  let afterCr = false;  // a line feed that comes now ended its line already
  let block = newBlock();
  for await (const chunk of chunks) {
    let text = decoder.decode(chunk, { stream: true });
    if (text === '') continue;
    if (afterCr && text.startsWith('\n')) text = text.slice(1);
    afterCr = text.endsWith('\r');
    const lines = (rest + text).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line !== '') {
        takeLine(block, line);
        continue;
      }
      id = block.id ?? id;
      const data = block.data.length > 0 ? block.data.join('\n') : undefined;
      if (data !== undefined || block.id !== undefined || block.retry !== undefined) {
        yield { id, event: block.event || 'message', data, retry: block.retry };
      }
      block = newBlock();
    }
  }
}

/** @returns {{id?: string, event: string, data: string[], retry?: number}} */
const newBlock = () => ({ event: '', data: [] });

function takeLine(block, line) {
  const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (name === 'data') block.data.push(value);
  else if (name === 'event') block.event = value;
  else if (name === 'id' && !value.includes('\0')) block.id = value;
  else if (name === 'retry' && /^\d+$/.test(value)) block.retry = Number(value);
}
