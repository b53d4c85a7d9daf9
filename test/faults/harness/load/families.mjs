/** People allow clients, and the clients refresh what they got; each acknowledged token and rotation goes into the ledger. */
import { familyIdOf, Ground } from '../ledger.mjs';
import { REDIRECT } from '../world.mjs';
import { askForToken, persist, ProofKey } from './asking.mjs';
import { Browser } from './browser.mjs';

/** W13: for so long a lost answer is given again. */
const RETRY_WINDOW_MILLIS = 10_000;

/** One refresh chain of a client of the kind `public`, `bound` or `confidential` (or another confidential one). */
export class Family {
  constructor(stage, kind, person, { client = stage.world.clients[kind], resource = stage.world.notes } = {}) {
    Object.assign(this, { stage, kind, person, client, resource, browser: new Browser(stage, person) });
  }

  /** From the authorization request to the first tokens; whatever is lost on the way, the person begins again. */
  async begin() {
    const { stage } = this;
    if (this.kind === 'bound') this.key ??= await ProofKey.make();
    for (;;) {
      const allowed = await persist(stage, 'page', () => this.browser.allow(this.client, this.resource));
      if (allowed.outcome !== 'ok') {
        if (stage.abandoned) return false;
        // A sign-in whose request or session another attempt has used up: a person opens the application again.
        this.browser.signOut();
        stage.ledger.count(`begun again: ${allowed.what}`);
        continue;
      }
      stage.ledger.consents.set(`${this.person.id} ${this.client.client_id} ${this.resource.id}`, {
        userId: this.person.id,
        clientId: this.client.client_id,
        resourceId: this.resource.id,
      });
      if (await this.#redeem(allowed)) return true;
      if (stage.abandoned) return false;
    }
  }

  async #redeem({ code, verifier }) {
    const { stage } = this;
    this.codeForm = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT };
    let unknown = false;
    const answer = await persist(stage, 'code', async () => {
      // A code that may be spent already is not sent again by anybody: that would be a replay.
      if (unknown) return { outcome: 'refused', what: 'may be spent' };
      const got = await this.ask('code', this.codeForm);
      unknown ||= got.mayHaveBeenDone;
      return got;
    });
    if (answer.outcome !== 'ok') {
      if (!unknown && answer.outcome === 'refused') this.#refusedWithoutCause('a code', answer);
      return false;
    }
    this.gaveUp = false;
    this.ground = new Ground('family', familyIdOf(answer.body.refresh_token));
    this.consent = new Ground('consent');
    this.generation = 1;
    this.spentTokens = [];
    this.#take(answer.body);
    stage.ledger.families.add(this);
    stage.ledger.count('codes redeemed');
    return true;
  }

  /** One refresh, until there is an answer. @returns false when the family is lost */
  async turn() {
    const { stage, refreshToken } = this;
    const began = performance.now();
    let unknown = false;
    const answer = await persist(stage, 'refresh', async () => {
      const got = await this.ask('refresh', { grant_type: 'refresh_token', refresh_token: refreshToken });
      if (got.outcome !== 'ok') unknown ||= got.mayHaveBeenDone;
      this.gaveUp ||= unknown;
      return got;
    });
    if (answer.outcome === 'ok') {
      this.spentTokens.push(refreshToken);
      this.generation += 1;
      this.#take(answer.body);
      stage.ledger.count('rotations');
      if (unknown) stage.ledger.count(`refreshes that worked after an answer was lost: ${this.kind}`);
      return true;
    }
    if (answer.outcome === 'refused') this.#judgeEnd(answer, unknown, performance.now() - began);
    this.ground.unsettle();
    stage.ledger.families.delete(this);
    return false;
  }

  #judgeEnd(answer, unknown, millis) {
    const { ledger } = this.stage;
    // A request that was given up may arrive after its repetition, and end the family then.
    if (this.kind === 'public' && this.gaveUp) return ledger.count('unbound public families ended by a lost answer');
    if (!unknown) return this.#refusedWithoutCause('a refresh token', answer);
    if (this.kind === 'public') return ledger.count('unbound public families ended by a lost answer');
    if (millis > RETRY_WINDOW_MILLIS) return ledger.count('families whose client came back after the retry window');
    ledger.violate('a family was wrongly killed', `${this.kind}: ${answer.what} after ${Math.round(millis)} ms`);
  }

  #refusedWithoutCause(what, answer) {
    const said = JSON.stringify(answer.body)?.slice(0, 400);
    this.stage.ledger.violate(
      'a fault was answered with a refusal',
      `${what} of a ${this.kind} client: ${said ?? answer.what}`,
    );
  }

  #take({ access_token: accessToken, refresh_token: refreshToken }) {
    this.refreshToken = refreshToken;
    this.token = this.stage.ledger.issued(accessToken, [this.ground, this.consent]);
  }

  /** @param at a replica, to go past the ingress */
  ask(kind, form, at) {
    return this.key
      ? this.key.ask(this.stage, kind, this.client, form, { at })
      : askForToken(this.stage, kind, this.client, form, { at });
  }
}
