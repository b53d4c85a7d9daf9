import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

/** What each scope of this resource allows. The same text is registered at the authorization server and shown to people. */
export const scopes = {
  'notes:read': 'Read your notes',
  'notes:write': 'Add and delete notes',
} as const;

export type Scope = keyof typeof scopes;

/** The scope a call of each tool needs. A tool that is missing here cannot be called. */
export const scopeOfTool: Readonly<Record<string, Scope>> = {
  list_notes: 'notes:read',
  add_note: 'notes:write',
  delete_note: 'notes:write',
};

/** Whoever may write notes may read them. */
export const includedIn: Readonly<Record<Scope, readonly Scope[]>> = {
  'notes:read': [],
  'notes:write': ['notes:read'],
};

/** The notes of each person, in memory. */
export class Notebook {
  readonly #notes = new Map<string, Map<number, string>>();
  #lastId = 0;

  of(subject: string): Map<number, string> {
    const notes = this.#notes.get(subject) ?? new Map<number, string>();
    this.#notes.set(subject, notes);
    return notes;
  }

  add(subject: string, text: string): number {
    this.of(subject).set(++this.#lastId, text);
    return this.#lastId;
  }
}

/** The three tools, for one person. Whether that person's token allows a call was decided before it got here. */
export function notesServer(notebook: Notebook, subject: string): McpServer {
  const server = new McpServer({ name: 'authplane-notes', version: '1.0.0' });

  server.registerTool('list_notes', { description: 'Lists your notes.' }, () => {
    const lines = [...notebook.of(subject)].map(([id, text]) => `${id}: ${text}`);
    return answer(lines.join('\n') || 'You have no notes.');
  });
  server.registerTool(
    'add_note',
    { description: 'Adds a note.', inputSchema: { text: z.string().min(1).max(1000) } },
    ({ text }) => answer(`Added note ${notebook.add(subject, text)}.`),
  );
  server.registerTool(
    'delete_note',
    { description: 'Deletes a note by its number.', inputSchema: { id: z.number().int() } },
    ({ id }) => answer(notebook.of(subject).delete(id) ? `Deleted note ${id}.` : `There is no note ${id}.`),
  );
  return server;
}

const answer = (text: string) => ({ content: [{ type: 'text' as const, text }] });
