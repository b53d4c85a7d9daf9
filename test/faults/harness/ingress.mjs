/** nginx in front of the replicas, as an ordinary ingress has it: a request that may have been carried out is never sent twice. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { end, launch, until } from './processes.mjs';

const configuration = (port, replicas) => `
daemon off;
worker_processes 1;
${process.getuid() === 0 ? 'user root;' : ''}
pid nginx.pid;
error_log nginx.log;
events { worker_connections 1024; }
http {
  access_log off;
  upstream replicas {
    ${replicas.map(({ port: at }) => `server 127.0.0.1:${at} max_fails=1 fail_timeout=2s;`).join('\n    ')}
    keepalive 32;
    keepalive_timeout 60s;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_connect_timeout 1s;
      proxy_read_timeout 30s;
      proxy_next_upstream error timeout; # the default: never a POST that was sent
      add_header X-Replica $upstream_addr always;
    }
  }
}
`;

export class Ingress {
  static async start(home, port, replicas) {
    const ingress = new Ingress();
    const file = join(home, 'nginx.conf');
    writeFileSync(file, configuration(port, replicas));
    ingress.process = launch('nginx', ['-p', home, '-e', 'nginx.log', '-c', file], { log: join(home, 'nginx.log') });
    const listening = async () => (await fetch(`http://127.0.0.1:${port}/livez`)).status > 0;
    await until('nginx', listening, { child: ingress.process });
    return ingress;
  }

  stop() {
    return end(this.process, 'SIGTERM');
  }
}
