import { join } from 'node:path';
import type { Config } from './config/config.js';
import { adminKeyFile } from './config/first-run.js';

/** What a first run prints, once: where the generated key lies, and the next three things to type. */
export function firstSteps(config: Config): string {
  return `
  AuthPlane is ready at ${config.server.issuer}

  A session secret and an admin key were generated under ${config.dataDir} (readable by you alone).
  The admin key, shown this once: ${config.admin.apiKey}
  The commands below read it from ${join(config.dataDir, adminKeyFile)}.

  Next, in another terminal:

    1. a resource to protect    npm run authserver -- admin resource create --slug notes --backend-kind mint \\
                                  --uri http://localhost:8080/mcp --display-name Notes \\
                                  --scopes 'notes:read||Read your notes' --scopes 'notes:write||Add and delete notes'
    2. a person who signs in    npm run authserver -- admin user create --email you@example.com --password -
                                  (it asks for a password of 12 characters or more)
    3. the example MCP server   npm run example

`;
}
