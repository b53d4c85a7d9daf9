import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aResource, aUser, audited, introspect, signIn } from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';
import { anAgent, exchange, letExchange, outcome, startExchangingApp, started, type Started } from '../exchanges.js';

let app: TestApp;
beforeAll(async () => (app = await startExchangingApp()));
afterAll(() => app.close());

/** A gateway that may exchange tokens for a target which the person was never asked about. */
async function aQuestion() {
  const [at, target, gateway] = await Promise.all([started(app), aResource(app), anAgent(app)]);
  await letExchange(app, target, gateway);
  const ask = (more = {}) => exchange(app, gateway, at.token, { resource: target.uri, scope: 'notes:read', ...more });
  return { at, target, gateway, ask };
}

/** Opens a link as a person would who is not signed in, and signs in. */
async function open(url: string, at: Started, browser = new HttpBrowser()): Promise<Visit> {
  const page = await browser.follow(await browser.get(url), app.url);
  return page.html.includes('name="password"') ? browser.follow(await signIn(browser, page, at.user), app.url) : page;
}

const answer = (browser: HttpBrowser, page: Visit, decision: string, more = {}): Promise<Visit> =>
  browser.post(`${app.url}/consent`, { ...page.form('decision'), decision, ...more });

describe('a consent link', () => {
  it('asks the person whom it was made for, and then the same request succeeds', async () => {
    const { at, target, gateway, ask } = await aQuestion();
    const refused = await ask();
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({
      error: 'consent_required',
      error_description: 'the user has not allowed this application for this resource',
      consent_url: expect.stringContaining(`${app.issuer}/consent?request=`),
      cause: 'consent_missing',
      expires_in: 900,
    });
    const browser = new HttpBrowser();
    const page = await open(refused.body.consent_url, at, browser);
    expect([page.status, page.html.includes(target.uri), page.html.includes('You will be sent to')]).toEqual([
      200,
      true,
      false,
    ]);
    const done = await answer(browser, page, 'allow');
    expect([done.status, done.html.includes('You can return to your application.')]).toEqual([200, true]);
    const { status, body } = await ask();
    expect([status, body.scope]).toEqual([200, 'notes:read']);
    const [consent] = await app.sql('select * from consents where user_id = $1 and resource_id = $2', [
      at.user.id,
      target.id,
    ]);
    expect(consent).toMatchObject({ client_id: at.client.id, scopes: ['notes:read'], redirect_uris: [] });

    const more = await ask({ scope: 'notes:read notes:write' });
    expect(more.body).toMatchObject({ error: 'consent_required', cause: 'scope_insufficient' });
    expect(outcome(await ask({ scope: '' }))).toEqual([200, 'notes:read']);
    const again = await open(more.body.consent_url, at, browser);
    expect(again.html).toContain('already allowed');
    await answer(browser, again, 'allow');
    expect(outcome(await ask({ scope: 'notes:write' }))).toEqual([200, 'notes:write']);
    expect(await introspect(app, body.access_token, gateway)).toMatchObject({ active: true });
    expect((await audited(app, 'token.exchange_denied'))[0]).toMatchObject({
      reason: 'scope_not_consented',
      client_id: gateway.id,
    });
  });

  it('is a page of refusal to anybody else who is signed in, and stores nothing', async () => {
    const { at, target, ask } = await aQuestion();
    const { consent_url: url } = (await ask()).body;
    const stranger = new HttpBrowser();
    const other = { ...at, user: await aUser(app) };
    const page = await open(url, other, stranger);
    expect([page.status, /this link was made for another account/i.test(page.html)]).toEqual([403, true]);
    const own = new HttpBrowser();
    const form = (await open(url, at, own)).form('decision');
    const posted = await stranger.post(`${app.url}/consent`, { ...form, decision: 'allow' });
    expect(posted.status).toBe(403);
    const forged = await own.post(`${app.url}/consent`, { ...form, csrf: 'x'.repeat(43), decision: 'allow' });
    expect(forged.status).toBe(403);
    expect(await app.sql('select from consents where resource_id = $1', [target.id])).toEqual([]);
  });

  it('signs nobody in', async () => {
    const { ask } = await aQuestion();
    const browser = new HttpBrowser();
    const page = await browser.get((await ask()).body.consent_url);
    expect(page.location).toContain(`${app.issuer}/login?request=`);
  });

  it('ends after fifteen minutes, and with a changed byte', async () => {
    const { at, ask } = await aQuestion();
    const { consent_url: url } = (await ask()).body;
    const browser = new HttpBrowser();
    expect((await open(url, at, browser)).status).toBe(200);
    const changed = await browser.get(url.slice(0, -6) + (url.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA'));
    expect(changed.status).toBe(403);
    app.clock.advance(15 * 60);
    const late = await browser.get(url);
    expect([late.status, late.html.includes('has expired')]).toEqual([400, true]);
  });

  it('takes No for an answer', async () => {
    const { at, ask } = await aQuestion();
    const browser = new HttpBrowser();
    const page = await open((await ask()).body.consent_url, at, browser);
    const done = await answer(browser, page, 'deny');
    expect([done.status, done.html.includes('Not allowed')]).toEqual([200, true]);
    expect((await ask()).body.cause).toBe('consent_missing');
  });
});
