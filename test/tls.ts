import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inject } from 'vitest';

export interface LocalCertificate {
  /** PEM of the authority, and where it lies: for NODE_EXTRA_CA_CERTS of a server process. */
  readonly ca: string;
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    certificate: LocalCertificate;
  }
}

let untrusted: LocalCertificate | undefined;

/** A certificate for localhost, 127.0.0.1 and ::1, trusted by whoever is given its `ca`; made once per test file. */
export function localCertificate(): LocalCertificate {
  return (untrusted ??= makeCertificate());
}

/** The same, trusted by every process of the test run: for hosts that the server under test is to believe. */
export function trustedCertificate(): LocalCertificate {
  return inject('certificate');
}

/**
 * For the global set-up, once per run: an authority and a certificate, made by openssl.
 *
 * Processes that are started from now on trust the authority, the test files' among them: Node reads the variable when it starts.
 */
export function trustLocalCertificate(): { certificate: LocalCertificate; remove(): void } {
  const certificate = makeCertificate();
  process.env['NODE_EXTRA_CA_CERTS'] = certificate.caFile;
  return { certificate, remove: () => rmSync(dirname(certificate.caFile), { recursive: true, force: true }) };
}

function makeCertificate(): LocalCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'authplane-tls-'));
  const openssl = (line: string) => execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'pipe' });
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const fresh = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 2';
  const authority = '-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE';
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1';
  openssl(`${fresh} -subj /CN=authplane-tests -keyout ca.key -out ca.pem`);
  openssl(`${fresh} -subj /CN=localhost -keyout key.pem -out cert.pem ${authority} -addext ${names}`);
  return { ca: read('ca.pem'), caFile: join(folder, 'ca.pem'), key: read('key.pem'), cert: read('cert.pem') };
}
