import { DeadlineError, within } from "../deadline.ts";
import { retry } from "../retry.ts";
import type { World } from "../world.ts";
import { AuthSession } from "./auth_session.ts";
import type { BlobPlace } from "./blob_source.ts";
import { readBody } from "./bounded_body.ts";
import type { Credential } from "./credential.ts";
import { passwordCredential } from "./credential.ts";
import { type Credentials, openCredentials } from "./credentials.ts";
import { type EndpointSettings, type Source, sourcesOf } from "./endpoints.ts";
import { Exchange } from "./exchange.ts";
import type { ImageReference } from "./reference.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { RegistryError } from "./registry_error.ts";
import { retryDecision } from "./retry_timing.ts";
import { unreachable } from "./unreachable.ts";
import { Wire } from "./wire.ts";

/** Where the blobs and documents of an image are asked for, given a place. */
export type UrlOf = (source: Source) => URL;

/** A small answer, whole. */
export interface SmallAnswer {
  /** The body, at most as long as asked for. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Headers of the final answer. */
  readonly headers: Headers;
  /** What was asked first, before redirects. */
  readonly url: URL;
  /** True when it comes from a mirror, whose silence about something is not the registry's. */
  readonly isMirror: boolean;
}

/** What is wanted of {@linkcode RegistryConnection.get}. */
export interface SmallQuestion<Result> {
  /** Its URL at each place. */
  readonly urlOf: UrlOf;
  /** Sent along. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly limit: number;
  /** Makes of the answer what is wanted; what it throws counts against the place, and the next one is asked. */
  readonly read: (answer: SmallAnswer) => Result;
  /** Ends the wait; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/** Everything that is kept between requests: connections, proofs, credentials. */
export class RegistryConnection implements Disposable {
  /** Asks single questions. */
  readonly exchange: Exchange;
  readonly #settings: RegistrySettings;
  readonly #endpoints: EndpointSettings;
  /** Once a reference has said that its registry speaks TLS, none makes us speak to it without. */
  readonly #tlsRegistries = new Set<string>();
  readonly #world: World;
  readonly #wire: Wire;
  readonly #credentials: Credentials;
  readonly #sessions = new Map<string, AuthSession>();
  /** Mirrors that gave no answer, or a wrong one: one wait for each is enough. */
  readonly #leftMirrors = new Set<string>();

  /** Connects to nothing yet. */
  constructor(settings: RegistrySettings, world: World) {
    this.#settings = settings;
    this.#endpoints = { plainHttp: settings.plainHttp, mirrors: settings.mirrors, tls: this.#tlsRegistries };
    this.#world = world;
    this.#wire = new Wire(settings, world);
    this.#credentials = openCredentials(settings, world);
    this.exchange = new Exchange(this.#wire, world);
  }

  /** Milliseconds a server may keep us waiting without progress. */
  get idleTimeout(): number {
    return this.#settings.idleTimeout ?? 30_000;
  }

  /** All places for something of an image, with their proofs: mirrors first, the registry itself last. */
  placesOf(reference: ImageReference, urlOf: UrlOf): BlobPlace[] {
    if (reference.scheme === "https") this.#tlsRegistries.add(reference.registry);
    return sourcesOf(reference, this.#endpoints)
      .filter(({ origin, mirrorOf }) => mirrorOf === undefined || !this.#leftMirrors.has(origin.origin))
      .map((source) => ({
        url: urlOf(source),
        session: this.#sessionFor(source),
        isMirror: source.mirrorOf !== undefined,
      }));
  }

  /** A small body, retried as `retry_timing.ts` says; a mirror that fails gives way at once to the registry itself. */
  async get<Result>(reference: ImageReference, question: SmallQuestion<Result>): Promise<Result> {
    const places = this.placesOf(reference, question.urlOf);
    for (const [index, place] of places.entries()) {
      try {
        return question.read(await this.#getPatiently(place, question));
      } catch (failure) {
        if (!(failure instanceof RegistryError) || index === places.length - 1) throw failure;
        this.left(place, failure);
        this.#world.log.warn(`${failure.message}, asking the next place`);
      }
    }
    throw new RegistryError("not-found", `Cannot reach '${reference.registry}': no place has it`);
  }

  /** Notes why a place was left for the next one. */
  left({ url, isMirror }: BlobPlace, failure: unknown): void {
    if (!isMirror || !(failure instanceof RegistryError)) return;
    if (failure.code === "unreachable" || failure.code === "content-mismatch") {
      this.#leftMirrors.add(url.origin);
    }
  }

  /** Ends all connections. */
  [Symbol.dispose](): void {
    this.#wire[Symbol.dispose]();
  }

  #getPatiently(place: BlobPlace, question: SmallQuestion<unknown>): Promise<SmallAnswer> {
    const { clock, log, random } = this.#world;
    return retry(() => this.#getOnce(place, question), (attempt, failure) => {
      // a mirror's failure costs a request to the registry itself, which need not wait
      if (place.isMirror) return "stop";
      const decision = retryDecision(attempt, failure, { now: clock.now(), random: random() });
      if (decision !== "stop" && failure instanceof Error) log.info(`${failure.message}, trying again`);
      return decision;
    }, { clock, signal: question.signal });
  }

  async #getOnce(
    { url, session, isMirror = false }: BlobPlace,
    question: SmallQuestion<unknown>,
  ): Promise<SmallAnswer> {
    const milliseconds = this.idleTimeout;
    const deadline = { clock: this.#world.clock, milliseconds, signal: question.signal, what: url.host };
    try {
      return await within(deadline, async (signal) => {
        const response = await this.exchange.ask({
          url,
          session,
          signal,
          ...(question.headers ? { headers: question.headers } : {}),
        });
        const bytes = await readBody(response, { limit: question.limit, url, signal });
        return { bytes, headers: response.headers, url, isMirror };
      });
    } catch (error) {
      if (error instanceof DeadlineError) {
        throw unreachable(url, error, `the server did not answer within ${milliseconds} ms`);
      }
      throw error;
    }
  }

  #sessionFor(source: Source): AuthSession {
    const key = `${source.origin.origin}/${source.repository}`;
    const session = this.#sessions.get(key) ?? new AuthSession(
      {
        origin: source.origin,
        repository: source.repository,
        credential: (signal) => this.#credentialFor(source, signal),
      },
      this.#wire,
      this.#world,
    );
    this.#sessions.set(key, session);
    return session;
  }

  /** Credentials given for this run are for the registry itself: a mirror gets only what a file holds for it. */
  async #credentialFor(source: Source, signal: AbortSignal): Promise<Credential | undefined> {
    const given = source.mirrorOf === undefined ? this.#settings.credentials : undefined;
    return given === undefined
      ? await this.#credentials.find(source, signal)
      : passwordCredential(given.username, given.password);
  }
}
