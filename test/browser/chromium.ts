import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Nothing but this machine has an address, so certificate errors can be ignored and no test reaches the network.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

let browser: Promise<Browser> | undefined;

/** One Chromium per test file. The first page starts it; `closeBrowser()` in an afterAll ends it. */
export function launchChromium(): Promise<Browser> {
  return (browser ??= chromium.launch({ executablePath: chromiumPath(), args: quiet, chromiumSandbox: false }));
}

export async function closeBrowser(): Promise<void> {
  const running = await browser;
  browser = undefined;
  await running?.close();
}

/** A page of a fresh profile: no cookies of an earlier test, none left for the next. */
export async function withPage<T>(use: (page: Page) => Promise<T>, options: BrowserContextOptions = {}): Promise<T> {
  const context = await (await launchChromium()).newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(10_000);
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

function chromiumPath(): string {
  const own = process.env['CHROMIUM_PATH'];
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)].filter(Boolean);
  const candidates = own ? [own] : names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = candidates.find(isExecutable);
  if (!found) throw new Error('No Chromium found: `npm test` installs one, or says how; CHROMIUM_PATH names your own.');
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
