import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { authserverProgram } from '../program.js';
import { renderCommandLineReference } from './command-line-reference.js';

const document = join(import.meta.dirname, '../../docs/reference/command-line.md');
const update = 'UPDATE_REFERENCE=1 npx vitest run src/cli/command-line-reference.spec.ts';

if (process.env.UPDATE_REFERENCE === '1') {
  mkdirSync(dirname(document), { recursive: true });
  writeFileSync(document, renderCommandLineReference(authserverProgram()));
}

/** Every command that does something, as it is typed. */
function pathsOf(command: Command, before = ''): string[] {
  const path = `${before}${command.name()}`;
  return command.commands.length === 0 ? [path] : command.commands.flatMap((child) => pathsOf(child, `${path} `));
}

describe('the command line reference', () => {
  it('is what the program says', () => {
    expect(readFileSync(document, 'utf8'), `out of date: ${update}`).toBe(
      renderCommandLineReference(authserverProgram()),
    );
  });

  it('has a heading for every command, with the flags it cannot do without', () => {
    const reference = renderCommandLineReference(authserverProgram());
    const missing = pathsOf(authserverProgram()).filter((typed) => !reference.includes(`## \`${typed}`));
    expect(missing).toEqual([]);
    expect(reference).toContain('#### `authserver admin client rotate-secret --id <id> …`');
  });

  it('is the same whatever the environment says, and leaves out the flag that would hold the admin key', () => {
    const usual = renderCommandLineReference(authserverProgram());
    process.env.AUTHPLANE_ADMIN_URL = 'http://elsewhere:1';
    try {
      expect(renderCommandLineReference(authserverProgram())).toBe(usual);
    } finally {
      delete process.env.AUTHPLANE_ADMIN_URL;
    }
    expect(usual).not.toContain('--admin-api-key');
  });
});
