// SPDX-License-Identifier: Apache-2.0
// The story of README.md, told to a server: node run.mjs [URL]
import { Story } from '../client-js/story.mjs';

const story = new Story(import.meta.url);
const editor = await story.as('review editor');
const drug = { concept_path: 'drugs/exemplin', limit: 0 };
const paper = 'paper/lumen-2025';

async function resolution(predicate, lens, as_of) {
  const { resolutions } = await editor.query({ ...drug, predicate, lens, as_of });
  return resolutions[0];
}

async function askAll(as_of) {
  for (const lens of ['recency', 'consensus', 'tier_authority']) {
    const { value, explain } = await resolution('harms_liver', lens, as_of);
    story.say(lens, lens === 'consensus' ? `${value}  (${explain})` : value);
  }
  const { layers } = await resolution('harms_liver', 'layered', as_of);
  story.say('layered', layers.map((layer) => `${layer.source_class} ${layer.value}`).join(', '));
  const { status, conflict_score } = await resolution('harms_liver', 'skeptic', as_of);
  story.say('skeptic', `${status}, conflict ${conflict_score.toFixed(2)}`);
  for (const predicate of ['weight_loss_percent', 'liver_test_needed']) {
    const { value, status: agreement } = await resolution(predicate, 'tier_authority', as_of);
    story.say(predicate, value ?? `nobody says (${agreement})`);
  }
}

// The way from a claim down to the retracted source, by what each step rests on.
async function wayDown(id) {
  const { assertion, rests_on, operations } = await editor.trace(id);
  const step = story.nameOf(id);
  if (assertion.source.id === paper) {
    const { reason } = operations.find((one) => one.kind === 'retraction');
    return [step, `"${reason}"`];
  }
  for (const below of rests_on) {
    if (below.status === 'retracted') return [step, ...await wayDown(below.id)];
  }
  return [step];
}

await story.load('claims.ndjson');
await editor.registerSource({ id: 'label/exemplin-2024', class: 'regulatory', title: 'Label of exemplin (invented)',
  timestamp: '2025-08-01T09:00:00.000Z' });
const before = (await editor.registerSource({ id: paper, class: 'clinical', title: 'The LUMEN trial (invented)',
  timestamp: '2025-08-01T09:00:00.000Z' })).sequence;

story.head('Does exemplin harm the liver? Before the retraction');
await askAll(before);

story.head('The paper is doubted, then retracted');
await editor.setSourceStatus(paper, { status: 'under_review', reason: 'an expression of concern',
  timestamp: '2025-08-20T09:00:00.000Z' });
const retraction = { source_id: paper, cascade: true, reason: 'two liver panels are one and the same',
  timestamp: '2025-09-01T09:00:00.000Z' };
const nothing = { retracted: 0, cascaded: 0 };  // told again, there is nothing left to retract
const preview = story.isRepeated ? nothing : await editor.retract({ ...retraction, dry_run: true });
story.say('dry run', `${preview.retracted} claims would go, ${preview.cascaded} of them only derived`, { once: true });
const done = await editor.retract(retraction);
story.say('retraction', `${done.retracted} claims are gone, ${done.cascaded} of them only derived`, { once: true });
const { assertions } = await editor.query({ ...drug, status: 'retracted', as_of: done.sequence, limit: 100 });
story.say('retracted', assertions.map((one) => story.nameOf(one.id)).sort().join(', '));
story.say('source', (await editor.getSource(paper)).status);

story.head('Does exemplin harm the liver? Now');
await askAll();
story.say('why is the leaflet gone?', (await wayDown(story.ids.leaflet)).join(' <- '));

story.head('What did we know before?');
const then = await editor.query({ ...drug, predicate: 'harms_liver', lens: 'consensus', as_of: before });
const again = await editor.query({ ...drug, predicate: 'harms_liver', lens: 'consensus', as_of: then.as_of });
story.say('consensus, as of then', `${then.resolutions[0].value}  (${then.resolutions[0].explain})`);
const isSame = JSON.stringify(again) === JSON.stringify(then);
story.say('asked again', isSame ? 'the same answer' : 'another answer');

story.head('Somebody imports the paper a second time');
const importer = await story.as('importer');
const late = await importer.assert({ concept_path: drug.concept_path, predicate: 'harms_liver', value: false, confidence: 1,
  source: { id: paper, class: 'clinical' }, timestamp: '2025-10-01T09:00:00.000Z' });
story.say('its claim', (await editor.getAssertion(late.id)).status);
story.say('tier_authority', (await resolution('harms_liver', 'tier_authority')).value);

story.end();
