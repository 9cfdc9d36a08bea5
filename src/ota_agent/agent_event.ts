import type { AgentFailureCode } from "./ota_agent_error.ts";

/** What the built-in agent tells while it works: one JSON line each on its stdout. Peers are `address:port`. */
export type AgentEvent =
  | ListeningEvent
  | WarningEvent
  | StrangerEvent
  | HandshakeEvent
  | CertificateEvent
  | DialledEvent
  | AttestedEvent
  | SendingEvent
  | HalfClosedEvent
  | RetryEvent
  | DeliveredEvent
  | FailedEvent;

/** The port is open: a device that dials now is served. */
export interface ListeningEvent {
  readonly event: "listening";
  readonly port: number;
}

/** Something the operator should know that stops nothing. */
export interface WarningEvent {
  readonly event: "warning";
  readonly message: string;
}

/** A connection that was not the device's; it was turned away. */
export interface StrangerEvent {
  readonly event: "stranger";
  readonly peer: string;
  readonly reason: string;
  /** Events about strangers that were left out since the last one, because there were too many. */
  readonly suppressed: number;
}

/** A peer accepted our certificate. */
export interface HandshakeEvent {
  readonly event: "handshake";
  readonly peer: string;
}

/** A peer sent a well-formed certificate. */
export interface CertificateEvent {
  readonly event: "certificate";
  readonly peer: string;
  /** Lower-case hexadecimal fingerprint of its DER bytes. */
  readonly sha256: string;
  /** Length of its DER bytes. */
  readonly bytes: number;
}

/** The peer is the expected device, as far as is known before its attestation. */
export interface DialledEvent {
  readonly event: "dialled";
  readonly peer: string;
  /** What made us believe it: the very certificate, the address, or nothing that could be compared. */
  readonly identifiedBy: "certificate" | "address" | "nothing";
}

/** The attestation server says that the certificate is a genuine device's. */
export interface AttestedEvent {
  readonly event: "attested";
  readonly peer: string;
  /** Whether the verdict was there before the device dialled. */
  readonly ahead: boolean;
  /** Milliseconds the device had to wait for it. */
  readonly ms: number;
}

/** Progress of a transfer. Bytes handed over to the operating system are not bytes received. */
export interface SendingEvent {
  readonly event: "sending";
  readonly peer: string;
  /** Bytes of the image handed over to the operating system. */
  readonly handedOverBytes: number;
  /** Bytes the operating system still held when it was last asked; absent where it does not tell. */
  readonly unacknowledgedBytes?: number;
  /** Bytes of the image. */
  readonly totalBytes: number;
}

/** Everything is handed over and our side of the connection is closed; the receipt is awaited. */
export interface HalfClosedEvent {
  readonly event: "half-closed";
  readonly peer: string;
}

/** A session with the device failed; it may dial again. */
export interface RetryEvent {
  readonly event: "retry";
  readonly peer: string;
  readonly code: AgentFailureCode;
  readonly message: string;
}

/** The last event of a success: the device closed its side after it had taken everything. */
export interface DeliveredEvent extends Delivery {
  readonly event: "delivered";
}

/** The last event of a failure. */
export interface FailedEvent extends AgentFailure {
  readonly event: "failed";
}

/** What proves that the device has read the image to its end. It does not prove that it accepted the image. */
export interface Delivery {
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
  readonly code: AgentFailureCode;
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
