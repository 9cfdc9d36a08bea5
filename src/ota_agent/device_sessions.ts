import type { IdentityVerdict } from "./identity.ts";

/** A peer that may be the device: its certificate, and by what it was recognised. */
export interface Candidate {
  /** Lower-case hexadecimal fingerprint of its certificate. */
  readonly sha256: string;
  /** What of it was as expected. */
  readonly by: Extract<IdentityVerdict, { kind: "device" }>["by"];
  /** Whether it is not where the device is, so that it may be anyone. */
  readonly isDoubtful: boolean;
}

/** The reason with which an older session of a device is ended when it dials again. */
export const SUPERSEDED = new Error("Cannot go on: the device has dialled again");

/** The reason with which a session is ended when another device is served. */
export const ANOTHER_SERVED = new Error("Cannot go on: another device is being served");

/** A session from its certificate to its end. */
export interface DeviceSession extends Disposable {
  /** Aborted when the session is over for what others do. */
  readonly signal: AbortSignal;
  /** To be called when its certificate is attested, before a byte is sent: ends all others. Throws when it is over. */
  claim(): void;
}

interface OpenSession {
  readonly candidate: Candidate;
  readonly over: AbortController;
}

/**
 * The sessions side by side, of which one device at most is served in a run: the first whose certificate is attested.
 * A device that was recognised goes before one that could not be.
 */
export class DeviceSessions {
  /** By fingerprint: of one device the newest counts. */
  readonly #open = new Map<string, OpenSession>();
  #served: Candidate | undefined;

  /** Sessions that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether the served device has been found and something is still going on. */
  get isServing(): boolean {
    return this.#served !== undefined && this.size > 0;
  }

  /**
   * Whether another peer goes before the candidate: the one that is served, unless it was recognised by less; and of
   * those who may be anyone the first, as each of them costs the attestation server seconds.
   */
  isExcluded(candidate: Candidate): boolean {
    const { sha256, by, isDoubtful } = candidate;
    const served = this.#served;
    if (served !== undefined && served.sha256 !== sha256 && (by === "nothing" || served.by !== "nothing")) {
      return true;
    }
    const others = [...this.#open.values()].map((session) => session.candidate)
      .filter((other) => other !== candidate && other.sha256 !== sha256);
    return isDoubtful && others.some((other) => other.isDoubtful);
  }

  /** Opens a session; an older one with the same certificate is dead. */
  open(candidate: Candidate): DeviceSession {
    const { sha256 } = candidate;
    const session: OpenSession = { candidate, over: new AbortController() };
    this.#open.get(sha256)?.over.abort(SUPERSEDED);
    this.#open.set(sha256, session);
    return {
      signal: session.over.signal,
      claim: () => this.#claim(session),
      [Symbol.dispose]: () => {
        if (this.#open.get(sha256) === session) this.#open.delete(sha256);
      },
    };
  }

  #claim({ candidate, over }: OpenSession): void {
    over.signal.throwIfAborted();
    const wasRecognised = this.#served?.sha256 === candidate.sha256 && this.#served.by !== "nothing";
    if (!wasRecognised) this.#served = candidate;
    for (const other of this.#open.values()) {
      if (this.isExcluded(other.candidate)) other.over.abort(ANOTHER_SERVED);
    }
  }
}
