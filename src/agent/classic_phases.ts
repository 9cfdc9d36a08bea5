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
  #connectedSince: number | undefined;
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
    if (peers === undefined) return undefined;
    if (peers.length === 0) {
      this.#connectedSince = undefined;
      if (now - this.#start < dialIn) return undefined;
      return failed(
        "never-dialled",
        `Cannot serve the device: nobody was connected to the agent after ${dialIn} ms, make sure that the device ` +
          "reaches the announced address and port",
      );
    }
    this.#connectedSince ??= now;
    if (now - this.#connectedSince < attestation) return undefined;
    const isDevice = this.#deviceAddress === undefined || peers.includes(this.#deviceAddress);
    return isDevice
      ? failed(
        "attestation-unavailable",
        `Cannot serve the device: it is connected, but the agent sent nothing for ${attestation} ms, make sure ` +
          "that the attestation server answers",
      )
      : failed(
        "never-dialled",
        `Cannot serve the device: '${
          peers.join("', '")
        }' holds the agent's only place and the device is not there`,
      );
  }
}
