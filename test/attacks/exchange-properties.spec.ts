import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aResource, postForm, tokensOf, type ClientFixture, type ResourceFixture } from '../builders.js';
import {
  anAgent,
  claimsOf,
  exchange,
  front,
  letActAs,
  letExchange,
  startExchangingApp,
  started,
} from '../exchanges.js';

const MAX_DEPTH = 2;

let app: TestApp;
beforeAll(async () => {
  app = await startExchangingApp({
    TOKEN_EXCHANGE_MAX_CHAIN_DEPTH: String(MAX_DEPTH),
    TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
  });
});
afterAll(() => app.close());

/** What the operator says of a resource, and what the person let the agent do there. */
interface Place {
  readonly resource: ResourceFixture;
  readonly declared: readonly string[];
  readonly exchange: readonly ClientFixture[];
  readonly runtime: readonly ClientFixture[];
  readonly consented?: readonly string[];
}

interface Token {
  readonly value: string;
  readonly claims: any;
  /** Absent: it is for this server alone. */
  readonly place?: Place;
  readonly machine: boolean;
  readonly origin: string;
}

const notes = ['notes:read', 'notes:write', 'notes:admin'];
const files = ['files:read', 'files:list', 'files:write'];
const words = [...notes, ...files];
const map: Record<string, string[]> = { 'notes:read': ['files:read', 'files:list'], 'notes:write': ['files:list'] };

const actorsOf = (act: any): string[] => (act ? [act.sub, ...actorsOf(act.act)] : []);
const scopesOf = ({ claims }: Token): string[] => claims.scope.split(' ');

/** Five clients, four resources, a link, a person who allowed some of it; and three tokens to begin with. */
async function aWorld() {
  const [agent, gateway, server, stranger, limited, machine] = await Promise.all([
    anAgent(app),
    anAgent(app),
    anAgent(app),
    anAgent(app),
    anAgent(app, { scope: 'notes:read files:list' }),
    anAgent(app, { scope: 'notes:read notes:write' }),
  ]);
  const declaring = (names: string[]) => aResource(app, { scopes: names.map((name) => ({ name })) });
  const [source, behind, listed, open] = await Promise.all([
    declaring(notes.slice(0, 2)),
    declaring(files),
    declaring(notes),
    declaring(['notes:read', 'notes:admin']),
  ]);
  const places: Place[] = [
    {
      resource: source,
      declared: notes.slice(0, 2),
      exchange: [],
      runtime: [gateway, limited, agent],
      consented: notes.slice(0, 2),
    },
    { resource: behind, declared: files, exchange: [gateway, limited], runtime: [server] },
    {
      resource: listed,
      declared: notes,
      exchange: [gateway, server, limited, machine],
      runtime: [stranger],
      consented: ['notes:read'],
    },
    {
      resource: open,
      declared: ['notes:read', 'notes:admin'],
      exchange: [],
      runtime: [server],
      consented: ['notes:read'],
    },
  ];
  for (const { resource, exchange: exchanging, runtime } of places) {
    await letExchange(app, resource, ...exchanging);
    await letActAs(app, resource, ...runtime);
  }
  await front(app, source, behind, map);
  const at = await started(app, { client: agent, resource: source });
  for (const { resource, consented } of places)
    if (consented) await tokensOf({ ...at, resource }, { scope: consented.join(' ') });
  const asked: Record<string, string>[] = [{}, { resource: source.uri }];
  const machines = await Promise.all(
    asked.map((more) => postForm(app, '/oauth/token', { grant_type: 'client_credentials', ...more }, machine)),
  );
  const begin = (value: string, origin: ClientFixture, place?: Place): Token => {
    return { value, claims: claimsOf(value), place, origin: origin.id, machine: origin === machine };
  };
  const tokens = [
    begin(at.token, agent, places[0]),
    begin(machines[0]!.body.access_token, machine),
    begin(machines[1]!.body.access_token, machine, places[0]),
  ];
  const ceilings = new Map([
    [limited, ['notes:read', 'files:list']],
    [machine, ['notes:read', 'notes:write']],
  ]);
  return { clients: [agent, gateway, server, stranger, limited, machine], places, tokens, ceilings };
}
type World = Awaited<ReturnType<typeof aWorld>>;

/** What policy lets `who` make of a token at most, said once more and by nothing but the rules; nothing: it is forbidden. */
function most(
  { ceilings, places }: World,
  token: Token,
  who: ClientFixture,
  target: Place | undefined,
  named: boolean,
) {
  const own = token.claims.client_id === who.id;
  const actors = actorsOf(token.claims.act);
  if (!own && (who.id === token.origin || actors.includes(who.id) || actors.length === MAX_DEPTH)) return [];
  if (named && !target) return [];
  const within = (scopes: readonly string[], ...bounds: (readonly string[] | undefined)[]) =>
    scopes.filter((scope) => bounds.every((bound) => bound?.includes(scope) ?? true));
  const held = scopesOf(token);
  if (!named) return own ? within(held, target?.declared, ceilings.get(who)) : [];
  const { exchange: exchanging, runtime, declared, consented } = target!;
  const passes = exchanging.includes(who) || (exchanging.length === 0 && !token.machine);
  if (!passes) return [];
  if (token.place === places[0] && target === places[1]) {
    const mapped = [...new Set(held.flatMap((scope) => map[scope] ?? []))];
    return places[0]!.runtime.includes(who) ? within(mapped, declared, ceilings.get(who)) : [];
  }
  if (!own && !exchanging.includes(who) && !runtime.includes(who)) return [];
  const asks = !token.machine && token.place !== target;
  return within(held, declared, ceilings.get(who), asks ? (consented ?? []) : undefined);
}

interface Step {
  readonly who: number;
  readonly where: number;
  readonly scope: string | undefined;
}

describe('whatever is asked for, along a chain', () => {
  it(
    '[X10] gives what policy allows and nothing else: scope, audience, actors and end',
    { timeout: 120_000 },
    async () => {
      const world = await aWorld();
      const { clients, places, tokens } = world;
      const elsewhere = ['https://nowhere.example', app.issuer];
      const named = [...places.map(({ resource }) => resource.uri), ...elsewhere];
      const scope = fc.oneof(
        { weight: 4, arbitrary: fc.constant(undefined) },
        { weight: 4, arbitrary: fc.constantFrom(...words) },
        { weight: 2, arbitrary: fc.subarray(words, { minLength: 1, maxLength: 3 }).map((some) => some.join(' ')) },
        { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.trim() !== '') },
      );
      const step: fc.Arbitrary<Step> = fc.record({
        who: fc.nat({ max: clients.length - 1 }),
        where: fc.nat({ max: named.length }),
        scope,
      });
      const seen = new Set<string>();
      let granted = 0;

      const take = async (token: Token, { who: index, where, scope: asked }: Step): Promise<Token> => {
        const [who, uri, target] = [clients[index]!, named[where], placeAt(where, token)];
        const form = {
          ...(uri === undefined ? {} : { resource: uri }),
          ...(asked === undefined ? {} : { scope: asked }),
        };
        const { status, body } = await exchange(app, who, token.value, form);
        const allowed = most(world, token, who, target, uri !== undefined);
        const requested = asked?.split(' ');
        const may = allowed.length > 0 && (requested?.every((name) => allowed.includes(name)) ?? true);
        expect([400, 403].includes(status) ? 'refused' : status, JSON.stringify([asked, allowed, body])).toBe(
          may ? 200 : 'refused',
        );
        if (status !== 200) return token;
        const claims = claimsOf(body.access_token);
        expect(new Set(claims.scope.split(' '))).toEqual(new Set(requested ?? allowed));
        expect(claims.aud).toEqual([target?.resource.uri ?? app.issuer]);
        expect([claims.sub, claims.client_id]).toEqual([token.claims.sub, who.id]);
        expect(claims.exp).toBeLessThanOrEqual(token.claims.exp);
        const own = token.claims.client_id === who.id;
        const { act } = token.claims;
        expect(claims.act).toEqual(own ? act : { sub: who.id, actor_type: 'service', ...(act ? { act } : {}) });
        const overLink = uri !== undefined && token.place === places[0] && target === places[1];
        const link = `${places[0]!.resource.slug}>${places[1]!.resource.slug}`;
        expect(claims.via).toBe(overLink ? link : token.place === target ? token.claims.via : undefined);
        granted += 1;
        seen.add(uri === undefined ? 'self' : overLink ? 'fronted' : 'direct');
        seen.add(`depth ${actorsOf(claims.act).length}`).add(token.machine ? 'machine' : 'person');
        return { ...token, value: body.access_token, claims, place: target };
      };
      const placeAt = (where: number, token: Token): Place | undefined =>
        where === named.length ? token.place : places[where];

      // Always among the inputs: over the link and on; straight to a listed target; a machine's; a narrowing.
      const [own, fronted, listed, open, self] = [0, 1, 2, 3, named.length];
      const walks: [number, Step[]][] = [
        [
          0,
          [
            { who: 1, where: fronted, scope: undefined },
            { who: 4, where: fronted, scope: 'files:list' },
          ],
        ],
        [
          0,
          [
            { who: 1, where: listed, scope: undefined },
            { who: 2, where: open, scope: undefined },
            { who: 4, where: listed, scope: undefined },
          ],
        ],
        [
          2,
          [
            { who: 1, where: listed, scope: 'notes:write' },
            { who: 1, where: self, scope: undefined },
          ],
        ],
        [
          0,
          [
            { who: 0, where: own, scope: 'notes:read' },
            { who: 0, where: self, scope: undefined },
          ],
        ],
        [1, [{ who: 5, where: listed, scope: undefined }]],
      ];
      await fc.assert(
        fc.asyncProperty(
          fc.nat({ max: tokens.length - 1 }),
          fc.array(step, { minLength: 1, maxLength: 5 }),
          async (first, steps) => {
            let token = tokens[first]!;
            for (const each of steps) token = await take(token, each);
          },
        ),
        { numRuns: 80, examples: walks },
      );
      // The walks above are granted whole; how many of the random ones are is chance.
      expect(granted).toBeGreaterThanOrEqual(walks.flatMap(([, steps]) => steps).length);
      expect([...seen].toSorted()).toEqual(
        ['depth 0', 'depth 1', 'depth 2', 'direct', 'fronted', 'machine', 'person', 'self'].toSorted(),
      );
    },
  );
});
