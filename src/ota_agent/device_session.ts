import type { World } from "../world.ts";
import type { AgentEvent, Delivery } from "./agent_event.ts";
import type { AttestationDesk } from "./attestation_desk.ts";
import type { DiceCertificate } from "./dice_certificate.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import type { PeerConnection, PeerEnd } from "./peer_connection.ts";
import { transferFirmware } from "./transfer.ts";

/** What a session with the device needs. */
export interface DeviceSessionOptions {
  /** Files, clock and log. */
  readonly world: World;
  /** Who asks the attestation server. */
  readonly desk: AttestationDesk;
  /** The image. */
  readonly firmwarePath: string;
  /** Our port. */
  readonly localPort: number;
  /** Milliseconds without progress after which the transfer is broken. */
  readonly transferIdleTimeout: number;
  /** Ends the session; its reason is passed on. */
  readonly signal: AbortSignal;
  /** Called when the certificate is attested, before a byte is sent; what it throws ends the session. */
  readonly claim: () => void;
  /** Told of every step. */
  readonly onEvent: (event: AgentEvent) => void;
}

/**
 * Serves the peer whose certificate is `certificate`: attestation, then the firmware from its start. Not a byte
 * leaves before the attestation server has said 200 for this very certificate.
 *
 * Rejects with {@linkcode OtaAgentError}: `attestation-refused`, `attestation-unavailable`, `transfer-broken`,
 * `firmware-unreadable`; with the signal's reason.
 */
export async function serveDevice(
  connection: PeerConnection,
  certificate: DiceCertificate,
  options: DeviceSessionOptions,
): Promise<Delivery> {
  const { world, desk, onEvent, signal } = options;
  // One read is always pending from here on, so that a device that gives up is noticed at once.
  const peerEnd = connection.peerEnd(signal);
  peerEnd.catch(() => undefined);
  const ahead = desk.isGenuine(certificate);
  const asked = world.clock.now();
  if (!ahead) await attest(connection, certificate, { desk, peerEnd, signal });
  options.claim();
  onEvent({ event: "attested", peer: connection.peer, ahead, ms: world.clock.now() - asked });
  const transfer = await transferFirmware(connection, peerEnd, {
    world,
    firmwarePath: options.firmwarePath,
    localPort: options.localPort,
    idleTimeout: options.transferIdleTimeout,
    signal,
    onEvent,
  });
  return { ...transfer, certificateSha256: certificate.sha256 };
}

async function attest(
  connection: PeerConnection,
  certificate: DiceCertificate,
  options: {
    readonly desk: AttestationDesk;
    readonly peerEnd: Promise<PeerEnd>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const verdict = await Promise.race([options.desk.verdict(certificate), options.peerEnd]);
  options.signal.throwIfAborted();
  if (typeof verdict === "string") {
    throw new OtaAgentError(
      "attestation-unavailable",
      `Cannot serve '${connection.peer}': it did not wait until the attestation server had answered`,
    );
  }
  if (verdict.kind === "genuine") return;
  throw new OtaAgentError(
    verdict.kind === "refused" ? "attestation-refused" : "attestation-unavailable",
    verdict.message,
  );
}
