import type { World } from "../world.ts";
import { type Challenge, parseChallenges } from "./auth_challenge.ts";
import { AuthSession } from "./auth_session.ts";
import { discard, readFailure } from "./bounded_body.ts";
import { pingUrl } from "./endpoints.ts";
import { type FailedAnswer, failureOf, saysTokenInvalid } from "./failed_answer.ts";
import { isRedirect, redirectTarget } from "./redirect_policy.ts";
import { RegistryError } from "./registry_error.ts";
import { ShownWarnings } from "./server_warnings.ts";
import type { Wire } from "./wire.ts";

/** One question to a registry. */
export interface Ask {
  /** Where it goes first. */
  readonly url: URL;
  /** Proof for the first origin; without it nothing is ever proven, as for foreign layers. */
  readonly session: AuthSession | undefined;
  /** Whose word the first origin is, if it is not the user's. */
  readonly namedBy?: URL;
  /** Sent to every origin on the way. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the exchange; of a successful one, also the body. */
  readonly signal: AbortSignal;
}

/** One proof, its renewal, and the step to anonymous access: no request is sent more often for a refusal's sake. */
const REFUSAL_LIMIT = 3;

/** Asks and follows: redirects by `redirect_policy.ts`, refusals by the session of the origin that refused. */
export class Exchange {
  readonly #wire: Wire;
  readonly #world: World;
  readonly #warnings = new ShownWarnings();

  /** Sends nothing yet. */
  constructor(wire: Wire, world: World) {
    this.#wire = wire;
    this.#world = world;
  }

  /** The answer 200 or 206 at the end of the way; rejects with what any other one means. */
  async ask(ask: Ask): Promise<Response> {
    let { url } = ask;
    let session = ask.session?.covers(url) ? ask.session : undefined;
    if (ask.namedBy !== undefined) await this.#wire.checkName(ask.namedBy, url, ask.signal);
    let wire = session === undefined ? this.#wire.stranger : this.#wire;
    for (let hops = 0;; hops++) {
      const response = await this.#provenAnswer(url, { ...ask, session, wire });
      if (!isRedirect(response.status)) return response;
      await discard(response);
      const target = redirectTarget(url, response.headers.get("location"), hops);
      await this.#wire.checkName(url, target, ask.signal);
      // another origin is another context: its own challenge is answered, with nothing of ours
      if (target.origin !== url.origin) {
        wire = this.#wire.stranger;
        session = session && anonymousSession(target, wire, this.#world);
      }
      url = target;
    }
  }

  async #provenAnswer(
    url: URL,
    { session, headers, signal, wire }: Ask & { readonly wire: Wire },
  ): Promise<Response> {
    for (let refusals = 0;; refusals++) {
      const authorization = await session?.authorization(signal);
      const response = await wire.send(url, {
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        signal,
      });
      for (const text of this.#warnings.unseen(response.headers.get("warning"))) {
        this.#world.log.warn(`Registry '${url.host}' warns: ${this.#wire.secrets.hide(text)}`);
      }
      if (response.status === 200 || response.status === 206 || isRedirect(response.status)) {
        session?.accepted();
        return response;
      }
      const answer = await readFailure(response, { url, signal });
      if (session === undefined || refusals >= REFUSAL_LIMIT || !isRefusal(answer, authorization)) {
        throw failureOf(answer, this.#wire.secrets);
      }
      const challenges = parseChallenges(answer.headers.get("www-authenticate"));
      const known = challenges.length > 0 || authorization !== undefined
        ? challenges
        : await challengesOfPing(url, wire, signal);
      if (!await session.refused(authorization, known, signal)) {
        throw refusalOf(failureOf(answer, this.#wire.secrets), session);
      }
    }
  }
}

/** Some registries challenge at `/v2/` only. */
async function challengesOfPing(url: URL, wire: Wire, signal: AbortSignal): Promise<Challenge[]> {
  const response = await wire.send(pingUrl(url), { signal });
  await discard(response);
  return response.status === 401 ? parseChallenges(response.headers.get("www-authenticate")) : [];
}

function anonymousSession(origin: URL, wire: Wire, world: World): AuthSession {
  const credential = () => Promise.resolve(undefined);
  return new AuthSession({ origin, repository: undefined, credential }, wire, world);
}

/** 401 and 403 are; so is a 400 whose words blame the token we sent. */
function isRefusal(answer: FailedAnswer, authorization: string | undefined): boolean {
  if (answer.status === 401 || answer.status === 403) return true;
  return answer.status === 400 && authorization?.startsWith("Bearer ") === true && saysTokenInvalid(answer);
}

function refusalOf({ status, message }: RegistryError, session: AuthSession): RegistryError {
  return new RegistryError(
    "auth-refused",
    `${message}: it refused ${session.identity}, give credentials that may read this repository`,
    status === undefined ? {} : { status },
  );
}
