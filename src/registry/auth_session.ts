import type { World } from "../world.ts";
import { type Challenge, supportedChallenges } from "./auth_challenge.ts";
import { type BearerToken, type TokenQuestion, tokenQuestion } from "./bearer_token.ts";
import { basicAuthorization, type Credential } from "./credential.ts";
import { RegistryError } from "./registry_error.ts";
import { fetchToken } from "./token_client.ts";
import type { Wire } from "./wire.ts";

/** What one session is for. */
export interface SessionSubject {
  /** The only origin that sees its credentials, beside that origin's token server. */
  readonly origin: URL;
  /** Repository for the token's scope; unknown behind a redirect, where only the challenge names one. */
  readonly repository: string | undefined;
  /** Finds the credential; asked once, when the server first wants one. */
  readonly credential: (signal: AbortSignal) => Promise<Credential | undefined>;
}

type Way = { readonly kind: "basic" } | { readonly kind: "bearer"; readonly question: TokenQuestion };

/**
 * How we prove ourselves to one origin for one repository. It starts without proof, learns from challenges, renews
 * tokens before they end, and falls back to anonymous access once when the credential is refused, as a wrong
 * credential must not keep anybody from a public image.
 */
export class AuthSession {
  readonly #subject: SessionSubject;
  readonly #wire: Wire;
  readonly #world: World;
  #credential: Credential | undefined;
  #credentialState: "unasked" | "known" | "given-up" = "unasked";
  #way: Way | undefined;
  #token: BearerToken | undefined;
  /** The proof at hand has been accepted at least once. */
  #isProven = false;

  /** Sends nothing yet. */
  constructor(subject: SessionSubject, wire: Wire, world: World) {
    this.#subject = subject;
    this.#wire = wire;
    this.#world = world;
  }

  /** True for URLs that may be shown this session's proof. */
  covers(url: URL): boolean {
    return url.origin === this.#subject.origin.origin;
  }

  /** Who we are to the server, for messages. */
  get identity(): string {
    if (this.#credentialState === "given-up") return "the credentials, and anonymous access too";
    return this.#credential === undefined ? "anonymous access" : "the credentials";
  }

  /** The `Authorization` value for the next request. Rejects when a token is needed and cannot be had. */
  async authorization(signal: AbortSignal): Promise<string | undefined> {
    const isOld = this.#token === undefined || this.#world.clock.now() >= this.#token.renewAt;
    if (this.#way?.kind === "bearer" && this.#credential?.kind !== "registry-token" && isOld) {
      this.#token = await this.#newToken(this.#way.question, signal);
      this.#isProven = false;
    }
    return this.#proofAtHand();
  }

  /** Notes that the server took what {@linkcode authorization} gave. */
  accepted(): void {
    this.#isProven = true;
  }

  /**
   * Learns from a refusal of `sent`; true when the same request is worth sending once more.
   *
   * Rejects with `policy` when the challenge names a realm we do not trust.
   */
  async refused(
    sent: string | undefined,
    challenges: readonly Challenge[],
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#credentialState === "unasked") {
      this.#credential = await this.#subject.credential(signal);
      this.#credentialState = "known";
    }
    // requests run side by side: another one has renewed or dropped the proof while this one was under way
    if (sent !== undefined && sent !== this.#proofAtHand()) return true;
    const [challenge] = supportedChallenges(challenges);
    const before = this.#way;
    if (challenge !== undefined) this.#way = this.#wayOf(challenge);
    if (sent === undefined) return this.#canAnswer();
    if (
      before?.kind === "bearer" && this.#token !== undefined &&
      (this.#isProven || !sameQuestion(before, this.#way))
    ) {
      this.#token = undefined;
      return true;
    }
    return this.#giveUpCredential();
  }

  /** What a request sent now would show. */
  #proofAtHand(): string | undefined {
    if (this.#way === undefined) return undefined;
    const credential = this.#credential;
    if (credential?.kind === "registry-token") return `Bearer ${credential.token}`;
    if (this.#way.kind === "bearer") {
      return this.#token === undefined ? undefined : `Bearer ${this.#token.value}`;
    }
    const password = credential?.kind === "identity" ? credential.fallback : credential;
    return password === undefined ? undefined : basicAuthorization(password);
  }

  #wayOf(challenge: Challenge): Way {
    if (challenge.scheme === "basic") return { kind: "basic" };
    const { origin, repository } = this.#subject;
    return { kind: "bearer", question: tokenQuestion(origin, challenge, repository) };
  }

  #canAnswer(): boolean {
    return this.#way?.kind === "bearer" || (this.#way !== undefined && this.#credential !== undefined);
  }

  #giveUpCredential(): boolean {
    if (this.#credential === undefined) return false;
    this.#world.log.warn(
      `The credentials for '${this.#subject.origin.host}' were refused, trying without`,
    );
    this.#credential = undefined;
    this.#credentialState = "given-up";
    this.#token = undefined;
    this.#isProven = false;
    return true;
  }

  async #newToken(question: TokenQuestion, signal: AbortSignal): Promise<BearerToken> {
    const ask = () =>
      fetchToken(question, { credential: this.#credential, wire: this.#wire, signal }, this.#world);
    await this.#wire.checkName(this.#subject.origin, question.server, signal);
    try {
      return await ask();
    } catch (refusal) {
      const isRefusal = refusal instanceof RegistryError && refusal.code === "auth-refused";
      if (!isRefusal || !this.#giveUpCredential()) throw refusal;
      return await ask().catch((second) => {
        // that a private image is not public is no news: the refused credential is
        throw second instanceof RegistryError && second.code === "auth-refused" ? refusal : second;
      });
    }
  }
}

function sameQuestion(left: Way | undefined, right: Way | undefined): boolean {
  if (left?.kind !== "bearer" || right?.kind !== "bearer") return left?.kind === right?.kind;
  return left.question.server.href === right.question.server.href &&
    left.question.service === right.question.service &&
    left.question.scopes.join(" ") === right.question.scopes.join(" ");
}
