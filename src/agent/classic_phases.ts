import { LOOKS_TO_BE_GONE } from "../tcp_table.ts";
import { type AgentSign, failed, type FailedVerdict } from "./agent_transcript.ts";

/** How long each phase of an agent may take, in milliseconds. */
export interface PhaseLimits {
  /** From listening to the device's connection. */
  readonly dialIn: number;
  /** From the connection to the first byte of the firmware: handshake, certificate and attestation. */
  readonly attestation: number;
  /** Between two signs of progress of the transfer. */
  readonly transferIdle: number;
}

/** Who is connected to the agent's port: addresses, or `undefined` where the system does not tell. */
export type ConnectedPeers = readonly string[] | undefined;

/**
 * Follows an agent that has no deadlines of its own and whose output is buffered: what can be seen from outside is
 * who is connected, and its progress lines once they come.
 */
export class ClassicPhases {
  readonly #limits: PhaseLimits;
  readonly #deviceAddress: string | undefined;
  readonly #start: number;
  #place: Place | undefined;
  #emptyInARow = 0;
  #lastProgress: number | undefined;

  /** The dial-in phase begins `now`. */
  constructor(
    limits: PhaseLimits,
    since: { readonly now: number; readonly deviceAddress: string | undefined },
  ) {
    this.#limits = limits;
    this.#deviceAddress = since.deviceAddress;
    this.#start = since.now;
  }

  /** Takes note of what the agent says. */
  hear(sign: AgentSign, now: number): void {
    if (sign.kind === "sending" || sign.kind === "half-closed") this.#lastProgress = now;
  }

  /** Why the agent must be ended now, or `undefined`: let it go on. */
  overdue(peers: ConnectedPeers, now: number): FailedVerdict | undefined {
    const { dialIn, attestation, transferIdle } = this.#limits;
    if (this.#lastProgress !== undefined) {
      if (now - this.#lastProgress < transferIdle) return undefined;
      return failed(
        "transfer-broken",
        `Cannot finish the transfer: the agent made no progress for ${transferIdle} ms`,
      );
    }
    if (peers === undefined) return this.#overdueUnseen(now);
    this.#emptyInARow = peers.length === 0 ? this.#emptyInARow + 1 : 0;
    if (peers.length === 0) {
      if (this.#emptyInARow < LOOKS_TO_BE_GONE) return undefined;
      this.#place = undefined;
      if (now - this.#start < dialIn) return undefined;
      return failed(
        "never-dialled",
        `Cannot serve the device: nobody was connected to the agent after ${dialIn} ms`,
      );
    }
    const place = this.#place = nextPlace(this.#place, peers, now);
    return now - place.since < attestation ? undefined : this.#unserved(place, peers);
  }

  /** Where the system does not tell who is connected, both phases together must do. */
  #overdueUnseen(now: number): FailedVerdict | undefined {
    const limit = this.#limits.dialIn + this.#limits.attestation;
    if (now - this.#start < limit) return undefined;
    return failed(
      "never-dialled",
      `Cannot serve the device: the agent sent nothing for ${limit} ms, and this system does not tell who dialled, ` +
        "make sure that the attestation server answers",
    );
  }

  /** What is known when somebody holds the place and no firmware comes: the agent does not say what it waits for. */
  #unserved({ holders }: Place, peers: readonly string[]): FailedVerdict {
    const device = this.#deviceAddress;
    const holding = `Cannot serve the device: '${holders.join("', '")}' holds the agent's only place`;
    if (device !== undefined && !holders.includes(device)) {
      const where = peers.includes(device)
        ? "the device waits behind it, make sure that nobody else dials"
        : "the device is not there, make sure that nobody else dials, or, if that is the device behind another " +
          "address, that the attestation server answers";
      return failed("never-dialled", `${holding}, and ${where}`);
    }
    return failed(
      "attestation-unavailable",
      `${holding} and was sent nothing for ${this.#limits.attestation} ms, make sure that the attestation server ` +
        "answers and that nobody else dials",
    );
  }
}

/** Who can be the one that the agent serves: it takes them in the order in which they came. */
interface Place {
  readonly holders: readonly string[];
  readonly since: number;
}

/** Those who were there first, while any of them is; then all who are there now. Its time begins when it changes. */
function nextPlace(place: Place | undefined, peers: readonly string[], now: number): Place {
  const still = place?.holders.filter((holder) => peers.includes(holder)) ?? [];
  if (place !== undefined && still.length === place.holders.length) return place;
  return { holders: still.length > 0 ? still : [...new Set(peers)], since: now };
}
