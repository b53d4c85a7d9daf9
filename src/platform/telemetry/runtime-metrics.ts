import { counter, each, gauge, histogram } from './metric.js';

/** What any server has: requests in and out, database, jobs, dependencies. Declared here and nowhere else. */

const REQUEST = ['http_method', 'http_route', 'http_status_code'] as const;

export const httpRequests = counter(
  'authserver_http_requests_total',
  'Requests that were answered. http_route is the pattern of the route, other where there is none; 499: the caller went away first.',
  REQUEST,
);
export const httpDuration = histogram(
  'authserver_http_request_duration_seconds',
  'From the first byte of a request to the last of its answer.',
  REQUEST,
);
export const auditDropped = counter(
  'authserver_audit_events_dropped_total',
  'Events that the audit did not take; the log has them.',
  ['action'],
);
export const databaseDuration = histogram(
  'authserver_db_operation_duration_seconds',
  'One statement, by its name, or a whole transaction; waiting for a connection is part of it. unnamed: a statement without one.',
  ['op'],
);
export const databaseFailures = counter(
  'authserver_db_failures_total',
  'Statements and transactions that failed because the database was away. outcome_unknown: they may have been carried out.',
  ['kind'],
  each('kind', ['away', 'outcome_unknown']),
);
export const outgoingDuration = histogram(
  'authserver_outgoing_request_duration_seconds',
  'Requests of this server. trust: who chose the URL, client or operator; outcome: the class of the status, or why there was no answer.',
  ['trust', 'outcome'],
);
export const jobDuration = histogram('authserver_job_duration_seconds', 'Jobs that were run, by how they ended.', [
  'job_name',
  'outcome',
]);
export const jobFailures = counter(
  'authserver_job_failures_total',
  'Attempts of jobs that failed. final true: it is not tried again.',
  ['job_name', 'final'],
);

export const jobs = gauge('authserver_jobs', 'Jobs of the whole queue, by their state.', ['state']);
export const oldestJob = gauge(
  'authserver_job_oldest_waiting_seconds',
  'For how long the job has waited that is next, or whose time has come; 0: none waits. Of the whole queue.',
);
export const outboxRows = gauge(
  'authserver_outbox_rows',
  'What was committed and is not told to the queue yet. Of the whole database.',
);
export const outboxOldest = gauge(
  'authserver_outbox_oldest_seconds',
  'Age of the oldest such row; 0: there is none. Of the whole database.',
);
export const poolConnections = gauge(
  'authserver_db_pool_connections',
  'Connections of this process to the database, by their state.',
  ['state'],
);
export const poolLimit = gauge('authserver_db_pool_max_connections', 'The most that this process may open.');
export const poolWaiting = gauge('authserver_db_pool_waiting', 'Requests that wait for a connection to the database.');
export const dependencyUp = gauge(
  'authserver_dependency_up',
  '1: the dependency answers this process; 0: it does not. database, redis where one is configured, encryption where something seals, signing where Vault does.',
  ['dependency'],
);
export const breakersOpen = gauge(
  'authserver_breakers_open',
  'Circuit breakers of this process that let nothing, or only a trial, through: what is behind them was slow or away. Of all hosts that are asked, outgoing.',
  ['dependency'],
);
export const lastBackup = gauge(
  'authserver_backup_last_success_timestamp_seconds',
  'When the last backup was finished, in seconds since 1970; 0: none that this server knows of. Of the whole database.',
);
export const buildInfo = gauge('authserver_build_info', 'Always 1; the labels tell which version runs on what.', [
  'version',
  'node',
]);
