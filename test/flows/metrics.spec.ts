import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';

describe('metrics', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startTestApp()));
  afterAll(() => app?.close());

  it('shows', async () => {
    const response = await fetch(`${app.adminUrl}/metrics`);
    expect(response.status).toBe(200);
    console.log(await response.text());
  });
});
