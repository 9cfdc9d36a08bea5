import { Throttle } from "../throttle.ts";
import type { TlsListener, World } from "../world.ts";
import type { AgentEnd, AgentEvent } from "./agent_event.ts";
import { AttestationDesk } from "./attestation_desk.ts";
import { ConnectionPool, EVICTED, type PoolPlace } from "./connection_pool.ts";
import { serveDevice } from "./device_session.ts";
import {
  ANOTHER_SERVED,
  type Candidate,
  type DeviceSession,
  DeviceSessions,
  SUPERSEDED,
} from "./device_sessions.ts";
import { DialEvidence } from "./dial_evidence.ts";
import type { DiceCertificate } from "./dice_certificate.ts";
import { greet, type StrangerKind } from "./greeting.ts";
import { judgeIdentity } from "./identity.ts";
import type { OtaAgentOptions, OtaAgentSettings } from "./ota_agent.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import { PeerConnection } from "./peer_connection.ts";

const HANDSHAKE_TIMEOUT = 15_000;
const CERTIFICATE_TIMEOUT = 10_000;

/** An idle TLS connection costs some 50 KB, so strangers cost at most 6 MB. */
const MAX_CONNECTIONS = 128;

/** Whoever connects must not fill our log. */
const STRANGER_EVENTS = { burst: 20, interval: 500 };

/** After a failed accept, file descriptors may be short for a while. */
const ACCEPT_PAUSE = 100;

/** A peer that is served as the device. */
interface Accepted {
  readonly certificate: DiceCertificate;
  readonly session: DeviceSession;
  readonly candidate: Candidate;
}

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
  readonly #sessions = new DeviceSessions();
  /** Those at the device's address of whom it is not known yet who they are: a handshake takes a device seconds. */
  readonly #atDoor = new Set<Promise<unknown>>();
  #lastFailure: OtaAgentError | undefined;
  #isDialInOver = false;

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
      this.#fail(new OtaAgentError("stopped", "Cannot serve a device any more: stopped as told"));
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
      if (place === undefined) return this.#turnAway(connection, "dropped", "there are too many connections");
      const recognised = this.#recognise(connection, place);
      const isAtDevice = connection.address === this.#settings.expectedDevice?.address;
      const accepted = await (isAtDevice ? this.#awaitAtDoor(recognised) : recognised);
      if (accepted === undefined) return;
      await this.#serve(connection, accepted);
      this.#awaitRedial();
    } finally {
      connection.close();
      await connection.closed;
    }
  }

  async #awaitAtDoor<Result>(recognised: Promise<Result>): Promise<Result> {
    this.#atDoor.add(recognised);
    try {
      return await recognised;
    } finally {
      this.#atDoor.delete(recognised);
    }
  }

  /** Whoever may be the device, with a session of its own; `undefined` for a stranger, who is turned away. */
  async #recognise(connection: PeerConnection, place: PoolPlace): Promise<Accepted | undefined> {
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
    const isDoubtful = identity.warning !== undefined;
    const candidate: Candidate = { sha256, by: identity.by, isDoubtful };
    if (this.#sessions.isExcluded(candidate)) return this.#turnAwayForAnother(connection);
    place.keep();
    if (identity.warning !== undefined) this.#mention({ event: "warning", message: identity.warning });
    this.#tell(candidate, { event: "dialled", peer, identifiedBy: identity.by });
    return { certificate, candidate, session: this.#sessions.open(candidate) };
  }

  async #serve(connection: PeerConnection, accepted: Accepted): Promise<void> {
    using session = accepted.session;
    const { candidate, certificate } = accepted;
    try {
      const delivery = await serveDevice(connection, certificate, {
        world: this.#world,
        desk: this.#desk,
        firmwarePath: this.#settings.firmwarePath,
        localPort: this.#listener.port,
        transferIdleTimeout: this.#settings.transferIdleTimeout,
        signal: AbortSignal.any([this.#over.signal, session.signal]),
        claim: session.claim,
        onEvent: (event) => this.#tell(candidate, event),
      });
      this.#finish({ kind: "delivered", ...delivery });
    } catch (error) {
      if (this.#over.signal.aborted) return;
      if (error === ANOTHER_SERVED) return this.#turnAwayForAnother(connection);
      const failure = error === SUPERSEDED ? brokenBySecondDial(connection) : error;
      if (!(failure instanceof OtaAgentError)) throw failure;
      const { code, message } = failure;
      if (code === "firmware-unreadable" || (code === "attestation-refused" && candidate.by !== "nothing")) {
        return this.#fail(failure);
      }
      this.#tell(candidate, { event: "retry", peer: connection.peer, code, message });
      if (candidate.isDoubtful) this.#evidence.noteServedInVain(failure);
      else this.#lastFailure = failure;
    }
  }

  /** Ends the run when nobody has been recognised as the device in time. */
  async #endDialIn(): Promise<void> {
    const { dialInTimeout } = this.#settings;
    await this.#world.clock.sleep(dialInTimeout, this.#over.signal);
    await Promise.allSettled(this.#atDoor);
    this.#isDialInOver = true;
    if (this.#sessions.size === 0 && this.#lastFailure === undefined) {
      this.#fail(this.#evidence.failure(dialInTimeout));
    }
  }

  /** A failed session is the device's last word only when it does not dial again. */
  #awaitRedial(): void {
    // While the device itself may yet come, what became of somebody who may be anyone ends nothing.
    const isOver = this.#lastFailure !== undefined || this.#isDialInOver;
    if (this.#sessions.size === 0 && isOver) this.#task(() => this.#endRedial());
  }

  async #endRedial(): Promise<void> {
    const { dialInTimeout, redialTimeout } = this.#settings;
    const failure = this.#lastFailure;
    await this.#world.clock.sleep(redialTimeout, this.#over.signal);
    await Promise.allSettled(this.#atDoor);
    if (failure === this.#lastFailure && this.#sessions.size === 0) {
      this.#fail(failure ?? this.#evidence.failure(dialInTimeout));
    }
  }

  /** Ends the run whatever it is at. */
  async #endRun(): Promise<void> {
    const { timeout } = this.#settings;
    await this.#world.clock.sleep(timeout, this.#over.signal);
    this.#fail(
      this.#sessions.isServing
        ? new OtaAgentError(
          "transfer-broken",
          `Cannot finish the transfer: the ${timeout} ms of the run are over`,
        )
        : this.#lastFailure ?? this.#evidence.failure(timeout),
    );
  }

  #turnAwayForAnother(connection: PeerConnection): undefined {
    return this.#turnAway(connection, "other-device", "another peer is being served");
  }

  #turnAway(connection: PeerConnection, stranger: StrangerKind, reason: string): undefined {
    const { peer, address } = connection;
    this.#evidence.note(stranger, { address, peer, reason });
    this.#mention({ event: "stranger", peer, reason, suppressed: 0 });
  }

  /** Tells of a session. */
  #tell({ isDoubtful }: Candidate, event: AgentEvent): void {
    if (isDoubtful) this.#mention(event);
    else this.#onEvent(event);
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
