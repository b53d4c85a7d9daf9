import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';

/** A person who is at the provider: whose flow it is, and what comes of it. */
export interface OpenFlow {
  readonly id: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly providerId: string;
  readonly targetResourceId: string;
  /** Absent: the person came by themselves, and no MCP server is given anything. */
  readonly sourceResourceId?: string;
  readonly clientId?: string;
  /** What upstream is asked for; like the two that follow in upstream's words. */
  readonly scopes: readonly string[];
  /** What the MCP server may have of it. */
  readonly ticked: readonly string[];
  /** What it was to have, and the person took out. */
  readonly unticked: readonly string[];
  readonly sealedVerifier: string;
  readonly returnUrl?: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

@Injectable()
export class ConnectFlowStore {
  constructor(private readonly database: Database) {}

  /** Stores a flow, and sweeps the person's expired ones. */
  async open(flow: OpenFlow, secretHash: Buffer): Promise<void> {
    await this.database.query(OPEN, [
      flow.id,
      secretHash,
      flow.userId,
      flow.sessionId,
      flow.providerId,
      flow.targetResourceId,
      flow.sourceResourceId ?? null,
      flow.clientId ?? null,
      flow.scopes,
      flow.ticked,
      flow.unticked,
      flow.sealedVerifier,
      flow.returnUrl ?? null,
      flow.createdAt,
      flow.expiresAt,
    ]);
  }

  /** Gives the flow to one caller, once. @returns 'spent' to every later one, undefined when there is no such flow */
  async spend(id: string, secretHash: Buffer, now: Date): Promise<OpenFlow | 'spent' | undefined> {
    const [flow] = await this.database.query<FlowRow>(SPEND, [id, secretHash, now]);
    if (flow) return toFlow(flow);
    const known = 'select from connect_flows where id = $1 and secret_hash = $2';
    return (await this.database.query(known, [id, secretHash])).length === 1 ? 'spent' : undefined;
  }
}

const OPEN = `
  with swept as (delete from connect_flows where user_id = $3::uuid and expires_at < $14::timestamptz)
  insert into connect_flows (id, secret_hash, user_id, session_id, provider_id, target_resource_id, source_resource_id, client_id,
    scopes, ticked, unticked, sealed_verifier, return_url, created_at, expires_at)
  values ($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::timestamptz, $15)`;

const SPEND = `
  update connect_flows set spent_at = $3 where id = $1 and secret_hash = $2 and spent_at is null
  returning id, user_id as "userId", session_id as "sessionId", provider_id as "providerId",
    target_resource_id as "targetResourceId", source_resource_id as "sourceResourceId", client_id as "clientId", scopes, ticked,
    unticked, sealed_verifier as "sealedVerifier", return_url as "returnUrl", created_at as "createdAt", expires_at as "expiresAt"`;

type Nullable = 'sourceResourceId' | 'clientId' | 'returnUrl';
type FlowRow = Omit<OpenFlow, Nullable> & { readonly [Name in Nullable]: string | null };

const toFlow = (row: FlowRow): OpenFlow => ({
  ...row,
  sourceResourceId: row.sourceResourceId ?? undefined,
  clientId: row.clientId ?? undefined,
  returnUrl: row.returnUrl ?? undefined,
});
