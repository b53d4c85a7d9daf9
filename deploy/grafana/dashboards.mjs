/**
 * Writes the Grafana dashboards beside this file: `node deploy/grafana/dashboards.mjs`. JSON of Grafana is mostly the same words for every
 * panel; here stands what differs. A test compares the JSON with what stands here, and every query with the metrics there are.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every query is about the servers that are chosen above the panels. */
const OURS = 'namespace=~"$namespace",job=~"$job"';
const of = (metric, labels = '') => `${metric}{${OURS}${labels && `,${labels}`}}`;
const rate = (metric, labels) => `rate(${of(metric, labels)}[$__rate_interval])`;
const per = (by, metric, labels) => `sum by (${by}) (${rate(metric, labels)})`;
const total = (metric, labels) => `sum(${rate(metric, labels)})`;
const quantile = (q, histogram, by = '', labels = '') =>
  `histogram_quantile(${q}, sum by (${by ? `${by}, ` : ''}le) (${rate(`${histogram}_bucket`, labels)}))`;
const quantiles = (histogram, labels) =>
  [0.5, 0.95, 0.99].map((q) => [quantile(q, histogram, '', labels), `p${q * 100}`]);
const since = (metric, labels) => `sum(increase(${of(metric, labels)}[$__range]))`;

const row = (title) => ({ title, row: true });
const graph = (title, unit, ...queries) => ({ title, type: 'timeseries', unit, queries, width: 12, height: 8 });
const stack = (...given) => ({ ...graph(...given), stacked: true });
const stat = (title, unit, query, more = {}) => ({
  title,
  type: 'stat',
  unit,
  queries: [[query, '']],
  width: 4,
  height: 4,
  ...more,
});
const bad = (title, query) => stat(title, 'short', query, { red: 1 });

const OAUTH = 'http_route=~"/oauth/.*"';

const overview = [
  row('Now'),
  stat(
    'Available (30 days)',
    'percentunit',
    `1 - sum(increase(${of('authserver_http_requests_total', `${OAUTH},http_status_code=~"5.."`)}[30d])) / sum(increase(${of('authserver_http_requests_total', OAUTH)}[30d]))`,
    { decimals: 3 },
  ),
  stat(
    'Tokens within 0.5 s (30 days)',
    'percentunit',
    `sum(increase(${of('authserver_token_issuance_duration_seconds_bucket', 'le="0.5"')}[30d])) / sum(increase(${of('authserver_token_issuance_duration_seconds_count')}[30d]))`,
    { decimals: 3 },
  ),
  stat('Tokens per second', 'ops', total('authserver_tokens_issued_total')),
  stat('Active clients', 'short', `max(${of('authserver_active_clients')})`),
  stat('Active families', 'short', `max(${of('authserver_active_token_families')})`),
  stat('Replicas', 'short', `count(count by (namespace, job, instance) (${of('authserver_build_info')}))`),
  row('Tokens'),
  stack('Tokens issued, by grant', 'ops', [per('grant_type', 'authserver_tokens_issued_total'), '{{grant_type}}']),
  graph('Time to issue a token', 's', ...quantiles('authserver_token_issuance_duration_seconds')),
  graph(
    'Refreshed, introspected, revoked',
    'ops',
    [total('authserver_tokens_refreshed_total'), 'refreshed'],
    [per('active', 'authserver_introspection_total'), 'introspected, active {{active}}'],
    [per('reason', 'authserver_tokens_revoked_total'), 'revoked, {{reason}}'],
  ),
  stack('Token exchanges, by kind', 'ops', [per('kind', 'authplane_token_exchange_total'), '{{kind}}']),
  graph(
    'Client credentials and agents',
    'ops',
    [total('authplane_client_credentials_issued_total'), 'client credentials'],
    [total('authplane_agent_tokens_issued_total'), 'to agents'],
  ),
  stack('Exchanges over fronting links', 'ops', [
    per('source, target', 'authplane_token_exchange_total', 'source!=""'),
    '{{source}} → {{target}}',
  ]),
  row('Requests'),
  stack('Requests, by status', 'reqps', [
    per('http_status_code', 'authserver_http_requests_total'),
    '{{http_status_code}}',
  ]),
  graph('Time to answer, p99 by route', 's', [
    quantile(0.99, 'authserver_http_request_duration_seconds', 'http_route', OAUTH),
    '{{http_route}}',
  ]),
  row('People'),
  stack('Attempts to sign in', 'ops', [per('outcome', 'authserver_login_attempts_total'), '{{outcome}}']),
  stack('Consent', 'ops', [per('decision', 'authserver_consent_decisions_total'), '{{decision}}']),
  graph('From authorization request to answer', 's', ...quantiles('authserver_auth_flow_duration_seconds')),
  graph('Asking identity providers', 's', [
    quantile(0.95, 'authserver_oidc_exchange_duration_seconds', 'outcome'),
    'p95 {{outcome}}',
  ]),
  row('Upstream accounts'),
  stack('Vends, by provider', 'ops', [
    per('provider, resource', 'authserver_upstream_token_issued_total'),
    '{{provider}} for {{resource}}',
  ]),
  graph('Time to have an upstream token, p95', 's', [
    quantile(0.95, 'authserver_upstream_token_issuance_duration_seconds', 'provider'),
    '{{provider}}',
  ]),
  stack('Asking providers for tokens', 'ops', [
    per('provider, outcome', 'authserver_upstream_token_refresh_total'),
    '{{provider}} {{outcome}}',
  ]),
  graph(
    'Connected and disconnected',
    'ops',
    [per('provider', 'authserver_connection_connect_total'), '{{provider}} connected'],
    [per('provider', 'authserver_connection_disconnect_total'), '{{provider}} disconnected'],
  ),
];

const operations = [
  row('Dependencies'),
  {
    ...graph('Dependencies (1: answers)', 'short', [
      `min by (instance, dependency) (${of('authserver_dependency_up')})`,
      '{{instance}} {{dependency}}',
    ]),
    max: 1,
  },
  graph('Database failures', 'ops', [per('kind', 'authserver_db_failures_total'), '{{kind}}']),
  graph('Open breakers', 'short', [`sum by (dependency) (${of('authserver_breakers_open')})`, '{{dependency}}']),
  row('Database'),
  stack(
    'Connections',
    'short',
    [`sum by (state) (${of('authserver_db_pool_connections')})`, '{{state}}'],
    [`sum(${of('authserver_db_pool_waiting')})`, 'requests that wait for one'],
    [`sum(${of('authserver_db_pool_max_connections')})`, 'most'],
  ),
  graph('Time of statements, p95', 's', [quantile(0.95, 'authserver_db_operation_duration_seconds', 'op'), '{{op}}']),
  stack('Statements', 'ops', [per('op', 'authserver_db_operation_duration_seconds_count'), '{{op}}']),
  row('Jobs'),
  stack('Jobs, by state', 'short', [`max by (state) (${of('authserver_jobs')})`, '{{state}}']),
  graph(
    'Oldest job and outbox row',
    's',
    [`max(${of('authserver_job_oldest_waiting_seconds')})`, 'job'],
    [`max(${of('authserver_outbox_oldest_seconds')})`, 'outbox'],
  ),
  stack('Jobs run', 'ops', [
    per('job_name, outcome', 'authserver_job_duration_seconds_count'),
    '{{job_name}} {{outcome}}',
  ]),
  graph('Failed attempts', 'ops', [
    per('job_name, final', 'authserver_job_failures_total'),
    '{{job_name}} final {{final}}',
  ]),
  graph('Time of jobs, p95', 's', [quantile(0.95, 'authserver_job_duration_seconds', 'job_name'), '{{job_name}}']),
  graph('Outbox', 'short', [`max(${of('authserver_outbox_rows')})`, 'rows']),
  row('Keys, secrets, backup'),
  stat('Signing key signs for', 's', `max(${of('authserver_signing_key_age_seconds')})`),
  stat('Rotation due in', 's', `max(${of('authserver_signing_key_rotation_due_seconds')})`),
  stat('Rotations', 'short', since('authserver_key_rotation_total')),
  bad('Secrets ending within 7 days', `max(${of('authserver_client_secrets_expiring', 'days="7"')})`),
  stat('Since the last backup', 's', `time() - max(${of('authserver_backup_last_success_timestamp_seconds')})`, {
    red: 36 * 3600,
  }),
  graph('Reading the signing keys', 's', ...quantiles('authserver_key_reload_duration_seconds')),
  row('Outgoing requests'),
  stack('Outgoing, by outcome', 'reqps', [
    per('trust, outcome', 'authserver_outgoing_request_duration_seconds_count'),
    '{{trust}} {{outcome}}',
  ]),
  graph('Time of outgoing requests, p95', 's', [
    quantile(0.95, 'authserver_outgoing_request_duration_seconds', 'trust'),
    '{{trust}}',
  ]),
  graph('Client metadata documents', 's', ...quantiles('authserver_cimd_fetch_duration_seconds')),
  graph(
    'Keys of others',
    'ops',
    [total('authserver_oidc_jwks_cache_hits_total'), 'from memory'],
    [total('authserver_oidc_jwks_cache_misses_total'), 'asked for'],
  ),
  row('Process'),
  graph('Event loop, p99', 's', [`max by (instance) (${of('nodejs_eventloop_lag_p99_seconds')})`, '{{instance}}']),
  graph('Processor', 'percentunit', [`sum by (instance) (${rate('process_cpu_seconds_total')})`, '{{instance}}']),
  graph(
    'Memory',
    'bytes',
    [`sum by (instance) (${of('process_resident_memory_bytes')})`, '{{instance}} resident'],
    [`sum by (instance) (${of('nodejs_heap_size_used_bytes')})`, '{{instance}} heap'],
  ),
  graph('Open files', 'short', [`sum by (instance) (${of('process_open_fds')})`, '{{instance}}']),
  graph('Introspection', 's', ...quantiles('authserver_introspection_duration_seconds')),
  stack('Versions', 'short', [
    `count by (version, node) (${of('authserver_build_info')})`,
    '{{version}} on Node.js {{node}}',
  ]),
];

const security = [
  row('In the time shown'),
  bad('Refresh tokens reused', since('authserver_refresh_token_reuse_total')),
  bad('Codes reused', since('authserver_auth_code_reuse_total')),
  bad('Revocations failed', since('authserver_revocation_failures_total')),
  bad('Audit events dropped', since('authserver_audit_events_dropped_total')),
  bad('Proofs replayed', since('authplane_dpop_proofs_rejected_total', 'reason="replay"')),
  bad('Sign-ins locked', since('authserver_login_attempts_total', 'outcome="locked"')),
  row('Refused'),
  stack('Refusals, by reason', 'ops', [`topk(12, ${per('reason', 'authserver_auth_denied_total')})`, '{{reason}}']),
  stack('Exchanges refused', 'ops', [per('reason', 'authplane_token_exchange_denied_total'), '{{reason}}']),
  stack('Client credentials refused', 'ops', [
    per('reason', 'authplane_client_credentials_denied_total'),
    '{{reason}}',
  ]),
  stack('Limits', 'ops', [per('limit', 'authserver_rate_limited_total'), '{{limit}}']),
  row('Theft'),
  graph(
    'Reuse',
    'short',
    [`sum(increase(${of('authserver_refresh_token_reuse_total')}[$__rate_interval]))`, 'refresh tokens'],
    [
      `sum by (verifier) (increase(${of('authserver_auth_code_reuse_total')}[$__rate_interval]))`,
      'codes, verifier {{verifier}}',
    ],
  ),
  graph('Revocations that failed', 'short', [
    `sum by (path, half) (increase(${of('authserver_revocation_failures_total')}[$__rate_interval]))`,
    '{{path}} {{half}}',
  ]),
  row('Proofs of possession'),
  graph('Proofs in order', 'ops', [total('authplane_dpop_proofs_validated_total'), 'validated']),
  stack('Proofs refused', 'ops', [per('reason', 'authplane_dpop_proofs_rejected_total'), '{{reason}}']),
  row('Clients and documents'),
  stack('Clients registered', 'ops', [per('source', 'authserver_clients_registered_total'), '{{source}}']),
  stack('Documents not fetched', 'ops', [per('reason', 'authserver_cimd_fetch_suppressed_total'), '{{reason}}']),
  row('Identity assertions'),
  stack('Policies', 'ops', [per('outcome', 'authplane_xaa_policy_evaluation_total'), '{{outcome}}']),
  stack('Whom they are about', 'ops', [per('outcome', 'authplane_xaa_subject_resolutions_total'), '{{outcome}}']),
  row('Operators and the audit'),
  graph(
    'Changes',
    'short',
    [`sum by (op) (increase(${of('authplane_resource_server_ops_total')}[$__rate_interval]))`, 'resource {{op}}'],
    [`sum by (op) (increase(${of('authplane_allowlist_ops_total')}[$__rate_interval]))`, 'policy entry {{op}}'],
    [`sum by (op) (increase(${of('authplane_xaa_idp_operations_total')}[$__rate_interval]))`, 'trusted IdP {{op}}'],
  ),
  graph(
    'Audit',
    'short',
    [`sum(${of('authserver_audit_queue_rows')})`, 'refusals waiting'],
    [
      `sum by (action) (increase(${of('authserver_audit_events_dropped_total')}[$__rate_interval]))`,
      'dropped {{action}}',
    ],
  ),
];

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

function panelOf({ title, type, unit, queries, stacked, red, decimals, max }, id, gridPos) {
  const steps = [{ color: 'green', value: null }, ...(red === undefined ? [] : [{ color: 'red', value: red }])];
  const custom = {
    fillOpacity: stacked ? 30 : 5,
    showPoints: 'never',
    stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
  };
  const options = {
    stat: {
      colorMode: red === undefined ? 'none' : 'value',
      graphMode: 'area',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
    timeseries: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
  return {
    id,
    title,
    type,
    gridPos,
    datasource: DATASOURCE,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        ...(decimals === undefined ? {} : { decimals }),
        thresholds: { mode: 'absolute', steps },
        ...(type === 'timeseries' ? { custom } : {}),
      },
      overrides: [],
    },
    options: options[type],
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      range: type === 'timeseries',
      instant: type === 'stat',
    })),
  };
}

function laidOut(panels) {
  let [x, y, height] = [0, 0, 0];
  return panels.map((panel, index) => {
    const [w, h] = panel.row ? [24, 1] : [panel.width, panel.height];
    if (panel.row || x + w > 24) [x, y, height] = [0, y + height, 0];
    const gridPos = { h, w, x, y };
    [x, height] = [x + w, Math.max(height, h)];
    return panel.row
      ? { id: index + 1, type: 'row', title: panel.title, collapsed: false, gridPos, panels: [] }
      : panelOf(panel, index + 1, gridPos);
  });
}

const variable = (name, query) => ({
  name,
  label: name,
  type: 'query',
  datasource: DATASOURCE,
  definition: query,
  query: { query, refId: name },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { selected: true, text: ['All'], value: ['$__all'] },
});

const dashboardOf = (uid, title, panels) => ({
  uid,
  title,
  tags: ['authplane'],
  editable: true,
  graphTooltip: 1,
  schemaVersion: 39,
  version: 1,
  refresh: '30s',
  timezone: '',
  time: { from: 'now-6h', to: 'now' },
  templating: {
    list: [
      {
        name: 'datasource',
        label: 'data source',
        type: 'datasource',
        query: 'prometheus',
        refresh: 1,
        hide: 0,
        current: {},
      },
      variable('namespace', 'label_values(authserver_build_info, namespace)'),
      variable('job', 'label_values(authserver_build_info{namespace=~"$namespace"}, job)'),
    ],
  },
  annotations: { list: [] },
  links: [
    {
      title: 'AuthPlane',
      type: 'dashboards',
      tags: ['authplane'],
      asDropdown: true,
      includeVars: true,
      keepTime: true,
    },
  ],
  panels: laidOut(panels),
});

/** By file name. */
export const dashboards = {
  'overview.json': dashboardOf('authplane-overview', 'AuthPlane: overview', overview),
  'operations.json': dashboardOf('authplane-operations', 'AuthPlane: operations', operations),
  'security.json': dashboardOf('authplane-security', 'AuthPlane: security', security),
};

if (process.argv[1] === import.meta.filename)
  for (const [file, dashboard] of Object.entries(dashboards))
    writeFileSync(join(import.meta.dirname, file), `${JSON.stringify(dashboard, undefined, 2)}\n`);
