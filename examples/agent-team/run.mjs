// SPDX-License-Identifier: Apache-2.0
// The story of README.md, told to a server: node run.mjs [URL]
import { Story } from '../client-js/story.mjs';

const story = new Story(import.meta.url);
const lead = await story.as('lead');
const coder = await story.as('coder');
const project = { concept_path: 'projects/atlas', limit: 0 };

async function resolution(predicate, lens, more) {
  const { resolutions } = await coder.query({ ...project, predicate, lens, ...more });
  return resolutions[0];
}

// What an agent should do before it builds on something: only what is approved is decided.
async function decision(predicate, more) {
  const decided = await resolution(predicate, 'recency', { lifecycle: 'approved', ...more });
  if (decided.status !== 'none') return `decided: ${decided.value}`;
  const { claims } = await resolution(predicate, 'skeptic', more);
  return `not decided; talked about: ${claims.map((claim) => claim.value).join(', ')}`;
}

const before = await story.load('claims.ndjson');

story.head('Which database? Asked without care');
for (const lens of ['recency', 'consensus', 'confidence']) {
  const { value, explain } = await resolution('database', lens, { as_of: before });
  story.say(lens, lens === 'consensus' ? `${value}  (${explain})` : value);
}

story.head('Which database? Asked for what is decided');
story.say('database', await decision('database', { as_of: before }));
story.say('queue', await decision('queue', { as_of: before }));
story.say('rejected', (await resolution('database', 'recency', { lifecycle: 'rejected' })).value);

story.head('What binds the coder');
const rules = await coder.query({ ...project, lens: 'constraints', lifecycle: 'approved', as_of: before });
for (const { predicate, value, details } of rules.resolutions) {
  if (!details) continue;  // no constraint
  const others = (details.others ?? []).map((other) => `, then ${other.value}`).join('');
  story.say(predicate, `${value}${others}`);
}

story.head('The team votes on the two databases');
const ballots = { plan: { planner: 0.9, tester: 0.2 }, idea: { coder: 1, tester: 0.8, writer: 0.6, planner: 0.4 } };
async function vote(voter, name, weight, timestamp) {
  return (await story.as(voter)).vote({ assertion_id: story.ids[name], weight, timestamp });
}
for (const [name, weights] of Object.entries(ballots)) {
  for (const [voter, weight] of Object.entries(weights)) await vote(voter, name, weight, '2025-09-18T09:00:00.000Z');
}
// The planner thinks again: its later vote takes the earlier one's place.
const voted = await vote('planner', 'plan', 0.5, '2025-09-18T10:00:00.000Z');
for (const name of Object.keys(ballots)) {
  const { assertion, votes } = await coder.trace(story.ids[name]);
  story.say(assertion.value, `${votes.count} votes, weight ${votes.weight.toFixed(1)}`);
}
const winner = await resolution('database', 'vote_consensus', { as_of: voted.sequence });
story.say('vote_consensus', winner.value);
story.say('decided by that?', await decision('database', { as_of: voted.sequence }));

story.head('The lead decides anew');
const next = await lead.assert({ concept_path: project.concept_path, predicate: 'database', value: 'SQLite', confidence: 0.9,
  lifecycle: 'approved', parent: story.ids.idea, source: { id: 'atlas/lead', class: 'expert' },
  timestamp: '2025-09-20T09:00:00.000Z' });
const both = await resolution('database', 'skeptic', { lifecycle: 'approved', as_of: next.sequence });
story.say('two decisions at once', `${both.status}: ${both.claims.map((claim) => claim.value).sort().join(' and ')}`);
await lead.supersede({ target: story.ids['decision-1'], replacement: next.id, reason: 'one service writes after all',
  timestamp: '2025-09-20T09:01:00.000Z' });
story.say('database', await decision('database'));
story.say('database, before', await decision('database', { as_of: before }));
const { assertions: [old] } = await coder.query({ ...project, limit: 1, status: 'superseded' });
const { operations } = await coder.trace(old.id);
const { reason } = operations.find((one) => one.kind === 'supersession');
story.say('superseded', `${old.value}: ${reason}`);

story.end();
