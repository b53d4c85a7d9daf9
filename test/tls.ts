import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface LocalCertificate {
  /** PEM of the authority, for `ca` of a TLS client or NODE_EXTRA_CA_CERTS by way of `caFile`. */
  readonly ca: string;
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

let made: LocalCertificate | undefined;

/** A certificate for localhost, 127.0.0.1 and ::1 from an authority of its own, made once per process by openssl. */
export function localCertificate(): LocalCertificate {
  return (made ??= make(mkdtempSync(join(tmpdir(), 'authplane-tls-'))));
}

function make(folder: string): LocalCertificate {
  const openssl = (line: string) =>
    execFileSync('openssl', line.split(' '), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const fresh = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 2';
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1';
  openssl(`${fresh} -subj /CN=authplane-tests -keyout ca.key -out ca.pem`);
  openssl(
    `${fresh} -subj /CN=localhost -keyout key.pem -out cert.pem -CA ca.pem -CAkey ca.key -addext ${names} -addext basicConstraints=critical,CA:FALSE`,
  );
  return { ca: read('ca.pem'), caFile: join(folder, 'ca.pem'), key: read('key.pem'), cert: read('cert.pem') };
}
