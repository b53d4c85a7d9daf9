/**
 * An upstream provider that bears a repeated refresh: the same refresh token works again, with a new access token each time. A vend whose
 * outcome was lost must therefore never cost a person their connection.
 */
import { createServer } from 'node:http';

export async function startUpstream() {
  const given = new Set();
  let count = 0;
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      const refreshToken = new URLSearchParams(text).get('refresh_token') ?? '';
      count += 1;
      const token = `upstream.${refreshToken}.${count}`;
      given.add(token);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 }));
    });
  });
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  return {
    url: `http://localhost:${server.address().port}/token`,
    gave: (token, refreshToken) => given.has(token) && token.startsWith(`upstream.${refreshToken}.`),
    stop: () => server.close(),
  };
}
