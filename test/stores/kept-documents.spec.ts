import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { KeptDocumentStore } from '../../src/platform/http-client/kept-document.store.js';
import { KeptDocuments } from '../../src/platform/http-client/kept-documents.js';
import { SettableClock } from '../app.js';
import { freshDatabase, openDatabase } from '../postgres.js';

const URL = 'https://idp.example/jwks';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let opened: Awaited<ReturnType<typeof openDatabase>>;
let clock: SettableClock;
let documents: KeptDocuments;
beforeAll(async () => {
  fresh = await freshDatabase();
  opened = await openDatabase(fresh.connection);
});
afterAll(async () => {
  await opened.end();
  await fresh.drop();
});
beforeEach(async () => {
  await opened.database.query('delete from kept_documents');
  [clock, documents] = replica();
});

/** With a clock of its own. */
function replica(aheadSeconds = 0): [SettableClock, KeptDocuments] {
  const own = new SettableClock();
  own.advance(aheadSeconds);
  return [own, new KeptDocuments(new KeptDocumentStore(opened.database), own)];
}

const found = async (): Promise<unknown> => JSON.parse((await documents.find(URL))?.body ?? 'null');

it('what another replica fetched a little later by its clock is found, and stays', async () => {
  const [ahead, others] = replica(4 * 60);
  await others.keep(URL, { version: 2 }, ahead.now());
  expect(await found()).toEqual({ version: 2 });
  await documents.keep(URL, { version: 1 }, clock.now());
  expect(await found()).toEqual({ version: 2 });
});

it('what a wrong clock dates further ahead than clocks may differ is not found, and gives way to what is fetched now', async () => {
  const [ahead, others] = replica(6 * 60);
  await others.keep(URL, { version: 1 }, ahead.now());
  expect(await found()).toBeNull();
  await documents.keep(URL, { version: 2 }, clock.now());
  expect(await found()).toEqual({ version: 2 });
});
