import { defineConfig } from 'vitest/config';

/** One run for everything: pure specs beside their files, and the tests under test/ against real servers. */
export default defineConfig({
  ssr: { resolve: { conditions: ['authplane-source'] } },
  test: {
    include: ['src/**/*.spec.ts', 'src/**/*.spec.tsx', 'libs/**/*.spec.ts', 'test/**/*.spec.ts'],
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What is polled for comes at once, or a while later where the machine is busy: a second would be a guess.
    expect: { poll: { timeout: 30_000 } },
    maxWorkers: 2,
    reporters: [['default', { summary: false }]],
    coverage: { provider: 'v8', include: ['libs/**/*.ts', 'src/**/*.ts'], exclude: ['**/*.spec.ts'] },
  },
});
