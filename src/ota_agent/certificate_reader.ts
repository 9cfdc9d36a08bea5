import {
  CERTIFICATE_HEADER_BYTES,
  certificateLength,
  type DiceCertificate,
  parseDiceCertificate,
} from "./dice_certificate.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import type { PeerConnection } from "./peer_connection.ts";

/**
 * Reads one certificate from whoever completed the handshake, however many writes it arrives in: its own header
 * tells its length, so nothing is guessed and nothing is waited for in vain.
 *
 * Rejects with {@linkcode OtaAgentError} `certificate-invalid`, or with the signal's reason.
 */
export async function readCertificate(
  connection: PeerConnection,
  signal: AbortSignal,
): Promise<DiceCertificate> {
  const header = await readExactly(connection, CERTIFICATE_HEADER_BYTES, signal);
  const der = new Uint8Array(certificateLength(header));
  der.set(header);
  der.set(await readExactly(connection, der.length - header.length, signal), header.length);
  return parseDiceCertificate(der);
}

async function readExactly(
  connection: PeerConnection,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (length < 0) throw incomplete("it is shorter than its own header");
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const read = await connection.read(bytes.subarray(filled), signal).catch((cause) => {
      signal.throwIfAborted();
      throw incomplete("the connection broke before its end", cause);
    });
    if (read === null) throw incomplete("the peer closed before its end");
    filled += read;
  }
  return bytes;
}

function incomplete(found: string, cause?: unknown): OtaAgentError {
  return new OtaAgentError(
    "certificate-invalid",
    `Cannot read the device's certificate: ${found}, a whole DER certificate is expected`,
    { cause },
  );
}
