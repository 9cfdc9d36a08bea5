import { Throttle } from "../throttle.ts";
import type { TlsListener, World } from "../world.ts";
import type { AgentEnd, AgentEvent } from "./agent_event.ts";
import { AttestationDesk } from "./attestation_desk.ts";
import { ConnectionPool, EVICTED, type PoolPlace } from "./connection_pool.ts";
import { serveDevice } from "./device_session.ts";
import { DialEvidence } from "./dial_evidence.ts";
import type { DiceCertificate } from "./dice_certificate.ts";
import { greet, type StrangerKind } from "./greeting.ts";
import { judgeIdentity } from "./identity.ts";
import type { OtaAgentOptions, OtaAgentSettings } from "./ota_agent.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import { PeerConnection } from "./peer_connection.ts";

const HANDSHAKE_TIMEOUT = 15_000;
const CERTIFICATE_TIMEOUT = 10_000;
const REDIAL_TIMEOUT = 5_000;

/** An idle TLS connection costs some 50 KB, so strangers cost at most 6 MB. */
const MAX_CONNECTIONS = 128;

/** Whoever connects must not fill our log. */
const STRANGER_EVENTS = { burst: 20, interval: 500 };

/** After a failed accept, file descriptors may be short for a while. */
const ACCEPT_PAUSE = 100;

/** The reason with which an older session of a device is ended when it dials again. */
const SUPERSEDED = new Error("Cannot go on: the device has dialled again");

/**
 * Receives everyone who dials and finds the device among them. Many connections live side by side; those that are not
 * the device's come to nothing. Of the device's own the newest counts: when it dials again, the older one is dead.
 */
export class Reception {
  readonly #listener: TlsListener;
  readonly #settings: OtaAgentSettings;
  readonly #world: World;
  readonly #onEvent: (event: AgentEvent) => void;
  readonly #outerSignal: AbortSignal;
  /** Aborted when the run has ended. */
  readonly #over = new AbortController();
  readonly #end = Promise.withResolvers<AgentEnd>();
  readonly #pool: ConnectionPool;
  readonly #evidence: DialEvidence;
  readonly #throttle: Throttle;
  readonly #desk: AttestationDesk;
  readonly #tasks = new Set<Promise<void>>();
  /** The device's session, once one has been recognised: by fingerprint of its certificate. */
  readonly #sessions = new Map<string, AbortController>();
  /** The certificate that was served first; nobody else is served in this run. */
  #servedSha256: string | undefined;
  #lastFailure: OtaAgentError | undefined;

  /** Takes over the listener; `run` begins. */
  constructor(listener: TlsListener, settings: OtaAgentSettings, world: World, options: OtaAgentOptions) {
    this.#listener = listener;
    this.#settings = settings;
    this.#world = world;
    this.#onEvent = options.onEvent;
    this.#outerSignal = options.signal;
    const address = settings.expectedDevice?.address;
    this.#pool = new ConnectionPool(settings.maxConnections ?? MAX_CONNECTIONS, address);
    this.#evidence = new DialEvidence(address);
    this.#throttle = new Throttle(world.clock, STRANGER_EVENTS);
    this.#desk = new AttestationDesk(world, {
      url: settings.attestationUrl,
      timeout: settings.attestationTimeout,
      signal: this.#over.signal,
      ...(settings.attestedAhead ? { ahead: settings.attestedAhead } : {}),
    });
  }

  /** Runs to the end, and leaves neither socket nor timer. */
  async run(): Promise<AgentEnd> {
    const onStop = (): void =>
      this.#fail(new OtaAgentError("stopped", "Cannot go on: the agent was told to stop"));
    if (this.#outerSignal.aborted) onStop();
    this.#outerSignal.addEventListener("abort", onStop, { once: true });
    this.#onEvent({ event: "listening", port: this.#listener.port });
    this.#task(() => this.#accept());
    this.#task(() => this.#endDialIn());
    this.#task(() => this.#endRun());
    try {
      return await this.#end.promise;
    } finally {
      this.#outerSignal.removeEventListener("abort", onStop);
      this.#over.abort(new OtaAgentError("stopped", "Cannot go on: the run is over"));
      this.#listener.close();
      while (this.#tasks.size > 0) await Promise.all(this.#tasks);
      await this.#desk.settled();
    }
  }

  async #accept(): Promise<void> {
    while (!this.#over.signal.aborted) {
      try {
        const connection = new PeerConnection(await this.#listener.accept());
        this.#task(() => this.#receive(connection));
      } catch (error) {
        if (this.#over.signal.aborted) return;
        this.#world.log.warn(`Cannot accept a connection: ${String(error)}`);
        await this.#world.clock.sleep(ACCEPT_PAUSE, this.#over.signal);
      }
    }
  }

  async #receive(connection: PeerConnection): Promise<void> {
    using place = this.#pool.admit(connection);
    try {
      if (place === undefined) this.#turnAway(connection, "dropped", "there are too many connections");
      else await this.#greetAndServe(connection, place);
    } finally {
      connection.close();
      await connection.closed;
    }
  }

  async #greetAndServe(connection: PeerConnection, place: PoolPlace): Promise<void> {
    const signal = AbortSignal.any([this.#over.signal, place.signal]);
    const greeting = await greet(connection, {
      clock: this.#world.clock,
      handshakeTimeout: this.#settings.handshakeTimeout ?? HANDSHAKE_TIMEOUT,
      certificateTimeout: this.#settings.certificateTimeout ?? CERTIFICATE_TIMEOUT,
      signal,
      onEvent: (event) => this.#mention(event),
    }).catch((error) => {
      if (error === EVICTED) return undefined;
      throw error;
    });
    if (greeting === undefined) {
      return this.#turnAway(connection, "dropped", "newer connections needed its place");
    }
    if (greeting.kind === "stranger") return this.#turnAway(connection, greeting.stranger, greeting.reason);
    const { certificate } = greeting;
    const { peer, address } = connection;
    const { sha256 } = certificate;
    this.#mention({ event: "certificate", peer, sha256, bytes: certificate.der.length });
    const identity = judgeIdentity({ certificateSha256: sha256, address }, this.#settings.expectedDevice);
    if (identity.kind === "other") return this.#turnAway(connection, "other-device", identity.reason);
    if (this.#servedSha256 !== undefined && this.#servedSha256 !== sha256) {
      return this.#turnAway(connection, "other-device", "another device is being served");
    }
    place.keep();
    if (identity.warning !== undefined) this.#onEvent({ event: "warning", message: identity.warning });
    this.#onEvent({ event: "dialled", peer, identifiedBy: identity.by });
    await this.#serve(connection, certificate, identity.by !== "nothing");
  }

  async #serve(
    connection: PeerConnection,
    certificate: DiceCertificate,
    isRecognised: boolean,
  ): Promise<void> {
    const session = new AbortController();
    this.#sessions.get(certificate.sha256)?.abort(SUPERSEDED);
    this.#sessions.set(certificate.sha256, session);
    try {
      const delivery = await serveDevice(connection, certificate, {
        world: this.#world,
        desk: this.#desk,
        firmwarePath: this.#settings.firmwarePath,
        localPort: this.#listener.port,
        transferIdleTimeout: this.#settings.transferIdleTimeout,
        signal: AbortSignal.any([this.#over.signal, session.signal]),
        onEvent: (event) => {
          if (event.event === "attested") this.#servedSha256 ??= certificate.sha256;
          this.#onEvent(event);
        },
      });
      this.#finish({ kind: "delivered", ...delivery });
    } catch (error) {
      if (this.#over.signal.aborted) return;
      const failure = error === SUPERSEDED ? brokenBySecondDial(connection) : error;
      if (!(failure instanceof OtaAgentError)) throw failure;
      if (
        failure.code === "firmware-unreadable" || (failure.code === "attestation-refused" && isRecognised)
      ) {
        return this.#fail(failure);
      }
      this.#onEvent({ event: "retry", peer: connection.peer, code: failure.code, message: failure.message });
      this.#lastFailure = failure;
    } finally {
      if (this.#sessions.get(certificate.sha256) === session) this.#sessions.delete(certificate.sha256);
    }
    if (this.#sessions.size === 0) this.#task(() => this.#endRedial());
  }

  /** Ends the run when nobody has been recognised as the device in time. */
  async #endDialIn(): Promise<void> {
    const { dialInTimeout } = this.#settings;
    await this.#world.clock.sleep(dialInTimeout, this.#over.signal);
    if (this.#sessions.size === 0 && this.#lastFailure === undefined) {
      this.#fail(this.#evidence.failure(dialInTimeout));
    }
  }

  /** After a failed session: ends the run with its failure unless the device has dialled again in time. */
  async #endRedial(): Promise<void> {
    const failure = this.#lastFailure;
    await this.#world.clock.sleep(this.#settings.redialTimeout ?? REDIAL_TIMEOUT, this.#over.signal);
    if (failure !== undefined && failure === this.#lastFailure && this.#sessions.size === 0) {
      this.#fail(failure);
    }
  }

  /** Ends the run whatever it is at. */
  async #endRun(): Promise<void> {
    const { timeout } = this.#settings;
    await this.#world.clock.sleep(timeout, this.#over.signal);
    const isServing = this.#servedSha256 !== undefined && this.#sessions.size > 0;
    this.#fail(
      isServing
        ? new OtaAgentError(
          "transfer-broken",
          `Cannot finish the transfer: the ${timeout} ms of the run are over`,
        )
        : this.#lastFailure ?? this.#evidence.failure(timeout),
    );
  }

  #turnAway(connection: PeerConnection, stranger: StrangerKind, reason: string): void {
    const { peer, address } = connection;
    this.#evidence.note(stranger, { address, peer, reason });
    this.#mention({ event: "stranger", peer, reason, suppressed: 0 });
  }

  /** Tells of somebody who may be anyone, but not of too many. */
  #mention(event: AgentEvent): void {
    const suppressed = this.#throttle.pass();
    if (suppressed === undefined) return;
    this.#onEvent(event.event === "stranger" ? { ...event, suppressed } : event);
  }

  #fail(failure: OtaAgentError): void {
    this.#finish({
      kind: "failed",
      code: failure.code,
      message: failure.message,
      strangers: this.#evidence.strangers,
      tlsRefusals: this.#evidence.tlsRefusals,
    });
  }

  #finish(end: AgentEnd): void {
    this.#end.resolve(end);
    this.#over.abort();
  }

  /** Runs `action` beside the others; a fault of ours ends the run, the end of the run is not one. */
  #task(action: () => Promise<void>): void {
    const task = action().catch((error) => {
      if (!this.#over.signal.aborted) this.#end.reject(error);
    }).finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }
}

function brokenBySecondDial(connection: PeerConnection): OtaAgentError {
  return new OtaAgentError(
    "transfer-broken",
    `Cannot finish the transfer to '${connection.peer}': the device has dialled again`,
  );
}
