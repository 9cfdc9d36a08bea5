/**
 * The device's DICE certificate as bytes: X.509, DER. It comes from whoever dialled, so nothing here believes a
 * length before it is checked against the bytes that are there.
 *
 *     Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE, signature BIT STRING }
 *
 * Its content (names, keys, extensions) is the attestation server's to judge.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { OtaAgentError } from "./ota_agent_error.ts";

/**
 * Devices send 722 to 727 bytes. The attestation server cuts requests at 4095 bytes; 2048 bytes are 2832 as PEM
 * and leave the rest to the request's headers.
 */
export const MAX_CERTIFICATE_BYTES = 2048;

/** Bytes that tell the length of a certificate: tag, length of length, two length bytes. */
export const CERTIFICATE_HEADER_BYTES = 4;

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const PEM_LINE = 64;

/** A certificate whose outer structure is sound. */
export interface DiceCertificate {
  /** As it came, and nothing after its end. */
  readonly der: Uint8Array;
  /** Lower-case hexadecimal fingerprint of `der`. */
  readonly sha256: string;
}

/**
 * The length in bytes of the certificate that starts with these four bytes.
 *
 * Throws {@linkcode OtaAgentError} `certificate-invalid` when they start nothing of a believable length.
 */
export function certificateLength(header: Uint8Array): number {
  const element = elementAt(header, 0);
  if (element === undefined || element.tag !== SEQUENCE) {
    throw invalid(`it starts with ${hex(header.subarray(0, CERTIFICATE_HEADER_BYTES))}`);
  }
  if (element.end > MAX_CERTIFICATE_BYTES) {
    throw invalid(`it announces ${element.end} bytes, more than ${MAX_CERTIFICATE_BYTES}`);
  }
  return element.end;
}

/**
 * Takes exactly one certificate.
 *
 * Throws {@linkcode OtaAgentError} `certificate-invalid` when the three parts do not fill it exactly.
 */
export function parseDiceCertificate(der: Uint8Array): DiceCertificate {
  if (certificateLength(der) !== der.length) {
    throw invalid(`its length does not match its ${der.length} bytes`);
  }
  let offset = elementAt(der, 0)?.start ?? 0;
  for (const tag of [SEQUENCE, SEQUENCE, BIT_STRING]) {
    const part = elementAt(der, offset);
    if (part === undefined || part.tag !== tag || part.end > der.length) {
      throw invalid(`there is no part with tag ${tag} at byte ${offset}`);
    }
    offset = part.end;
  }
  if (offset !== der.length) throw invalid(`${der.length - offset} bytes follow its signature`);
  return { der, sha256: createHash("sha256").update(der).digest("hex") };
}

/** The certificate as text (RFC 7468), as the attestation server wants it. */
export function certificatePem(certificate: DiceCertificate): string {
  const base64 = btoa(String.fromCharCode(...certificate.der));
  const lines = base64.match(new RegExp(`.{1,${PEM_LINE}}`, "g")) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** One DER element: where its content starts and where it ends. `undefined`: not a definite, minimal length. */
function elementAt(
  der: Uint8Array,
  offset: number,
): { readonly tag: number; readonly start: number; readonly end: number } | undefined {
  const [tag, first, high, low] = der.subarray(offset, offset + CERTIFICATE_HEADER_BYTES);
  if (tag === undefined || first === undefined) return undefined;
  if (first < 0x80) return { tag, start: offset + 2, end: offset + 2 + first };
  if (first === 0x81 && high !== undefined && high >= 0x80) {
    return { tag, start: offset + 3, end: offset + 3 + high };
  }
  if (first === 0x82 && high !== undefined && high > 0 && low !== undefined) {
    return { tag, start: offset + 4, end: offset + 4 + high * 256 + low };
  }
  return undefined;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function invalid(found: string): OtaAgentError {
  return new OtaAgentError(
    "certificate-invalid",
    `Cannot read the device's certificate: ${found}, a DER certificate is expected`,
  );
}
