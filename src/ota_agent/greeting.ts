import { DeadlineError, within } from "../deadline.ts";
import type { Clock } from "../world.ts";
import type { AgentEvent } from "./agent_event.ts";
import { readCertificate } from "./certificate_reader.ts";
import type { DiceCertificate } from "./dice_certificate.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import type { PeerConnection } from "./peer_connection.ts";

/** What kind of stranger a peer is, as far as it matters for the verdict when no device dials. */
export type StrangerKind =
  /** It answered our certificate with an alert about it: a device with another pinned certificate does that. */
  | "refused-our-certificate"
  /** It broke the handshake off in another way. */
  | "broke-handshake"
  /** It spoke no TLS, or never finished the handshake. */
  | "no-handshake"
  /** It spoke TLS and sent no certificate, or something else. */
  | "no-certificate"
  /** It showed another device's certificate, or is not where the device is. */
  | "other-device"
  /** There were too many connections, or it was cut off because the run ended. */
  | "dropped";

/** What came of the first words with a peer. */
export type Greeting =
  | { readonly kind: "certificate"; readonly certificate: DiceCertificate }
  | { readonly kind: "stranger"; readonly stranger: StrangerKind; readonly reason: string };

/** What a greeting is bounded by, in milliseconds. */
export interface GreetingOptions {
  /** Measures the time-outs. */
  readonly clock: Clock;
  /** From the TCP connection to the end of the handshake. */
  readonly handshakeTimeout: number;
  /** From there to the whole certificate. */
  readonly certificateTimeout: number;
  /** Ends the greeting; its reason is passed on. */
  readonly signal: AbortSignal;
  /** Told of a completed handshake. */
  readonly onEvent: (event: AgentEvent) => void;
}

/**
 * Handshake and certificate. Until both are there the peer may be anyone: a port scanner, a browser, something
 * hostile. Whatever it does it costs a bounded time and a few kilobytes, and is told apart by a reason.
 *
 * Never rejects for what the peer does; rejects with the signal's reason.
 */
export async function greet(connection: PeerConnection, options: GreetingOptions): Promise<Greeting> {
  const { clock, signal, onEvent } = options;
  try {
    const milliseconds = options.handshakeTimeout;
    await within({ clock, milliseconds, signal, what: "its handshake" }, (s) => connection.handshake(s));
  } catch (error) {
    signal.throwIfAborted();
    return judgeHandshakeFailure(error);
  }
  onEvent({ event: "handshake", peer: connection.peer });
  try {
    const milliseconds = options.certificateTimeout;
    const certificate = await within(
      { clock, milliseconds, signal, what: "its certificate" },
      (s) => readCertificate(connection, s),
    );
    return { kind: "certificate", certificate };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DeadlineError || error instanceof OtaAgentError) {
      return { kind: "stranger", stranger: "no-certificate", reason: error.message };
    }
    throw error;
  }
}

/** The alerts about a certificate (RFC 8446, 6.2; mbedTLS says access_denied, too), as the runtime spells them. */
const CERTIFICATE_ALERTS: ReadonlySet<string> = new Set([
  "BadCertificate",
  "UnsupportedCertificate",
  "CertificateRevoked",
  "CertificateExpired",
  "CertificateUnknown",
  "UnknownCA",
  "AccessDenied",
]);

/** The runtime tells a handshake's failure only in words (rustls `Error::AlertReceived` for an alert). */
function judgeHandshakeFailure(error: unknown): Greeting {
  if (error instanceof DeadlineError) {
    return { kind: "stranger", stranger: "no-handshake", reason: error.message };
  }
  const words = error instanceof Error ? error.message : String(error);
  const alert = /received fatal alert: (\w{1,40})/i.exec(words)?.[1];
  if (alert !== undefined) {
    return CERTIFICATE_ALERTS.has(alert)
      ? {
        kind: "stranger",
        stranger: "refused-our-certificate",
        reason: `it refused our certificate with the TLS alert ${alert}`,
      }
      : {
        kind: "stranger",
        stranger: "broke-handshake",
        reason: `it broke the handshake off with the TLS alert ${alert}`,
      };
  }
  if (/unexpected end|eof|reset|broken pipe/i.test(words)) {
    const reason = "it closed the connection during the handshake";
    return { kind: "stranger", stranger: "broke-handshake", reason };
  }
  return { kind: "stranger", stranger: "no-handshake", reason: "it does not speak TLS as devices do" };
}
