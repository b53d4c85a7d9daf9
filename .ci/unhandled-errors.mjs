import { writeFileSync } from 'node:fs';

/** A reporter of what vitest's JSON leaves out: errors that no test has caught. */
export default class UnhandledErrors {
  onTestRunEnd(_files, errors) {
    writeFileSync(process.env.UNHANDLED_ERRORS, String(errors.length));
  }
}
