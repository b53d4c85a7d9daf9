const COLUMNS = 'id, action, reason, actor_id, client_id, ip, request_id, detail, created_at';
const RECORD =
  'r(id uuid, action text, reason text, actor_id text, client_id text, ip text, request_id text, detail jsonb, created_at timestamptz)';

/**
 * The insert of audit rows for a statement that also stores what they tell, so that fact and record commit together (S9).
 *
 * @param parameter the placeholder that receives `AuditLog.rows(…)`, such as `$7`
 * @param condition SQL that must hold, such as `exists (select from spent)`; a fact that did not happen leaves no row
 */
export const insertAudit = (parameter: string, condition = 'true'): string =>
  `insert into audit_events (${COLUMNS}) select ${COLUMNS} from jsonb_to_recordset(${parameter}::jsonb) as ${RECORD} where ${condition}`;

export const INSERT_AUDIT_ROWS = insertAudit('$1');
