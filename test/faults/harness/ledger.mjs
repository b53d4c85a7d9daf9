/**
 * What the servers have acknowledged, as a stranger would hold it against them: tokens, rotations, revocations, consents.
 *
 * A *ground* is something a token stands on: itself, its family, consent or client, or the token it was exchanged for. A ground is `live`,
 * `unsettled` from the moment somebody asks to end it until that is acknowledged, and then `ended` for good. A token must be active while
 * all its grounds are live, and must not be once one of them ended.
 */
const STATES = ['live', 'unsettled', 'ended'];

export class Ground {
  #state = 0;

  constructor(kind, id) {
    Object.assign(this, { kind, id });
  }

  get state() {
    return STATES[this.#state];
  }

  /** Somebody asks to end it, or it may have been ended. */
  unsettle() {
    this.#state = Math.max(this.#state, 1);
  }

  end() {
    this.#state = 2;
  }
}

export class Ledger {
  tokens = [];
  families = new Set();
  consents = new Map();
  revoked = [];
  /** Tokens that were taken back. */
  dead = [];
  spent = [];
  counts = {};
  violations = new Map();

  count(what, by = 1) {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  /** Something that must not be. */
  violate(rule, detail) {
    const of = this.violations.get(rule) ?? { times: 0, examples: [] };
    of.times += 1;
    if (of.examples.length < 5) of.examples.push(`${new Date().toISOString()} ${detail}`);
    this.violations.set(rule, of);
  }

  /** @param grounds what it stands on besides itself */
  issued(value, grounds = []) {
    const { jti, exp } = claimsOf(value);
    const token = { value, jti, exp, grounds: [new Ground('jti', jti), ...grounds] };
    this.tokens.push(token);
    this.count('tokens');
    return token;
  }

  /** A ground of which the server said that it has ended it. */
  ended(ground) {
    ground.end();
    this.revoked.push(ground);
    this.count('revocations');
  }

  /** Something that works once and has worked; `again` sends it to a replica once more. */
  spentOnce(kind, again, { until = Infinity } = {}) {
    this.spent.push({ kind, again, until });
    this.count('spent');
  }

  /** Keeps the memory of a long run bounded. */
  forgetExpired(now = Date.now()) {
    this.tokens = this.tokens.filter(({ exp }) => exp * 1000 > now);
    this.spent = this.spent.filter(({ until }) => until > now).slice(-2_000);
  }
}

export function expectedOf(grounds) {
  if (grounds.some(({ state }) => state === 'ended')) return 'inactive';
  return grounds.every(({ state }) => state === 'live') ? 'active' : 'either';
}

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());

/** The family's id stands at the beginning of its refresh tokens. */
export function familyIdOf(refreshToken) {
  const hex = Buffer.from(refreshToken.slice('ap_rt_'.length), 'base64url').subarray(0, 16).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
