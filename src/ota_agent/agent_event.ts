import type { AgentFailureCode } from "./ota_agent_error.ts";

/** What the built-in agent tells while it works: one JSON line each on its stdout. Peers are `address:port`. */
export type AgentEvent =
  /** The port is open: a device that dials now is served. */
  | { readonly event: "listening"; readonly port: number }
  /** Something the operator should know that stops nothing. */
  | { readonly event: "warning"; readonly message: string }
  /** A connection that was not the device's was turned away; `suppressed` such events were left out before it. */
  | {
    readonly event: "stranger";
    readonly peer: string;
    readonly reason: string;
    readonly suppressed: number;
  }
  /** A peer accepted our certificate. */
  | { readonly event: "handshake"; readonly peer: string }
  /** A peer sent a well-formed certificate: its fingerprint in lower-case hexadecimal, and its length. */
  | {
    readonly event: "certificate";
    readonly peer: string;
    readonly sha256: string;
    readonly bytes: number;
  }
  /** The peer is taken for the device: for its very certificate, its address, or as nothing could be compared. */
  | {
    readonly event: "dialled";
    readonly peer: string;
    readonly identifiedBy: "certificate" | "address" | "nothing";
  }
  /** The certificate is a genuine device's; `ms` is how long the device had to wait to hear it. */
  | { readonly event: "attested"; readonly peer: string; readonly ahead: boolean; readonly ms: number }
  /**
   * Progress of a transfer. Bytes handed over are not bytes received: `acknowledgedBytes` is how many of the image's
   * the device had acknowledged at least, where the operating system tells.
   */
  | {
    readonly event: "sending";
    readonly peer: string;
    readonly handedOverBytes: number;
    readonly acknowledgedBytes?: number;
    readonly totalBytes: number;
  }
  /** Everything is handed over and our side of the connection is closed; the receipt is awaited. */
  | { readonly event: "half-closed"; readonly peer: string }
  /** A session with the device failed; it may dial again. */
  | {
    readonly event: "retry";
    readonly peer: string;
    readonly code: AgentFailureCode;
    readonly message: string;
  }
  /** The last event of a success. */
  | ({ readonly event: "delivered" } & Delivery)
  /** The last event of a failure. */
  | ({ readonly event: "failed" } & AgentFailure);

/** What proves that the device has read the image to its end. It does not prove that it accepted the image. */
export interface Delivery {
  /** The device, as `address:port`. */
  readonly peer: string;
  /** Bytes of the image. */
  readonly bytes: number;
  /** Lower-case hexadecimal digest of the bytes that were sent. */
  readonly sha256: string;
  /** Lower-case hexadecimal fingerprint of the device's certificate. */
  readonly certificateSha256: string;
  /**
   * `acknowledged`: the device closed its side and the operating system confirms that nothing was left undelivered.
   * `closed`: the device closed its side, and the operating system does not tell more.
   */
  readonly receipt: "acknowledged" | "closed";
  /** Milliseconds from the first byte to the receipt. */
  readonly ms: number;
}

/** Why nothing was delivered, with what was seen. */
export interface AgentFailure {
  /** Which failure. */
  readonly code: AgentFailureCode;
  /** One sentence with the cause and what to do. */
  readonly message: string;
  /** Connections that were turned away. */
  readonly strangers: number;
  /** Peers that refused our certificate with a TLS alert. */
  readonly tlsRefusals: number;
}

/** How a run of the built-in agent ended. */
export type AgentEnd =
  | ({ readonly kind: "delivered" } & Delivery)
  | ({ readonly kind: "failed" } & AgentFailure);
