import type { HttpClient, HttpInit, World } from "../world.ts";
import { apiHost } from "./endpoints.ts";
import { hostClass } from "./host_class.ts";
import { checkName } from "./name_check.ts";
import { namesProxy } from "./proxy_choice.ts";
import { RegistryError } from "./registry_error.ts";
import { SentSecrets } from "./sent_secrets.ts";
import { unreachable } from "./unreachable.ts";

/** How TLS is spoken with registries. */
export interface WireSettings {
  /** Names the proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** PEM file of certificates trusted beside the public ones. */
  readonly caFile?: string;
  /** A certificate shown to one registry, and to no other host. */
  readonly clientIdentity?: ClientIdentity;
}

/** A certificate for one registry. */
export interface ClientIdentity {
  /** `host[:port]`. */
  readonly registry: string;
  /** PEM file. */
  readonly certificateFile: string;
  /** PEM file. */
  readonly keyFile: string;
}

/** A bundle of all public authorities is some 250 KB. */
const PEM_LIMIT = 4 * 1024 * 1024;

/**
 * The runtime (2.9.6) forgets to abort a body whose response has been garbage-collected: a stalled read would then
 * never end. Whoever holds the body holds the response with it.
 */
const RESPONSES = new WeakMap<ReadableStream, Response>();

/** Sends single requests to registries: no redirects, no credentials of its own. */
export class Wire implements Disposable {
  /** Everything that was shown as proof to anybody. */
  readonly secrets: SentSecrets;
  readonly #settings: WireSettings;
  readonly #world: World;
  readonly #clients = new Map<"plain" | "identified" | "direct", HttpClient>();

  #stranger: Wire | undefined;

  /** Opens nothing yet. */
  constructor(settings: WireSettings, world: World, secrets: SentSecrets = new SentSecrets()) {
    this.#settings = settings;
    this.#world = world;
    this.secrets = secrets;
  }

  /** The same without the client certificate: for whatever others send us to, be it our own registry. */
  get stranger(): Wire {
    const { clientIdentity, ...settings } = this.#settings;
    if (clientIdentity === undefined) return this;
    return this.#stranger ??= new Wire(settings, this.#world, this.secrets);
  }

  /** One request; rejects with `unreachable` when there is no answer. */
  async send(url: URL, init: HttpInit): Promise<Response> {
    const client = await this.#clientFor(url);
    const authorization = init.headers?.["authorization"];
    if (authorization !== undefined) this.secrets.noteAuthorization(authorization);
    try {
      const response = await client.fetch(url, {
        ...init,
        // digests and sizes are those of the bytes as they are stored
        headers: { "user-agent": "flashjob", "accept-encoding": "identity", ...init.headers },
      });
      if (response.body !== null) RESPONSES.set(response.body, response);
      return response;
    } catch (error) {
      init.signal.throwIfAborted();
      throw unreachable(url, error);
    }
  }

  /** Rejects with `policy` when `from` names a host whose addresses it may not lead us to. */
  async checkName(from: URL, to: URL, signal: AbortSignal): Promise<void> {
    await checkName(from, to, { environment: this.#settings.environment, world: this.#world, signal });
  }

  /** Ends all connections. */
  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
    this.#stranger?.[Symbol.dispose]();
  }

  async #clientFor(url: URL): Promise<HttpClient> {
    const { clientIdentity, caFile } = this.#settings;
    const isIdentified = clientIdentity !== undefined && url.origin === originOf(clientIdentity.registry);
    const kind = this.#isInTheClear(url) ? "direct" : isIdentified ? "identified" : "plain";
    const known = this.#clients.get(kind);
    if (known !== undefined) return known;
    const caCertificates = caFile === undefined ? undefined : [await this.#readPem(caFile)];
    const identity = isIdentified
      ? {
        certificate: await this.#readPem(clientIdentity.certificateFile),
        key: await this.#readPem(clientIdentity.keyFile),
      }
      : undefined;
    const client = this.#clients.get(kind) ?? this.#world.openHttp({
      proxy: kind === "direct" ? "direct" : "environment",
      ...(caCertificates ? { caCertificates } : {}),
      ...(identity ? { clientIdentity: identity } : {}),
    });
    this.#clients.set(kind, client);
    return client;
  }

  /**
   * Loopback needs no TLS because nobody else hears it, and a proxy would; the runtime sends it there, too, unless
   * NO_PROXY names it.
   */
  #isInTheClear(url: URL): boolean {
    return url.protocol === "http:" && hostClass(url.hostname) === "loopback" &&
      namesProxy(this.#settings.environment);
  }

  async #readPem(path: string): Promise<string> {
    try {
      return await this.#world.files.readText(path, PEM_LIMIT);
    } catch (cause) {
      throw new RegistryError("bad-credentials-file", `Cannot read '${path}': wanted a PEM file`, { cause });
    }
  }
}

function originOf(registry: string): string | undefined {
  return URL.parse(`https://${apiHost(registry)}/`)?.origin;
}
