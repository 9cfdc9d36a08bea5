import type { DeviceClient } from "./device/device_client.ts";
import type { Job } from "./job/job.ts";
import { JobFailure } from "./job/job_outcome.ts";
import { attestDevice } from "./ota_agent/attestation.ts";
import { type DiceCertificate, parseDiceCertificate } from "./ota_agent/dice_certificate.ts";

/** What is known of the device before it dials. */
export interface DeviceIdentity {
  /** Lower-case hexadecimal fingerprint of its DICE certificate. */
  readonly certificateSha256: string;
  /** Epoch milliseconds of the attestation server's approval. */
  readonly attestedAt: number;
}

/**
 * Fetches the device's certificate from `/onboard` and has it attested while the firmware is still being pulled: the
 * server takes 2.5 s, and a device that has dialled does not wait much longer.
 *
 * `undefined` when the device shows no certificate. Throws {@linkcode JobFailure} `attestation-refused` and
 * `attestation-unavailable`, before the device is disturbed.
 */
export async function identifyDevice(
  job: Job,
  device: DeviceClient,
  signal: AbortSignal,
): Promise<DeviceIdentity | undefined> {
  const { config, world, record } = job;
  // Only the built-in agent can make use of it; a classic one asks the server itself, which serves one at a time.
  if (job.agent.kind !== "builtin") return undefined;
  return await record.phase("identify", async () => {
    const log = world.log.room("attestation");
    const reading = await device.readCertificate(signal);
    const certificate = reading.kind === "certificate" ? parseCertificate(reading.bytes) : undefined;
    if (certificate === undefined) {
      log.info("No certificate on /onboard: the device is attested when it dials", {
        found: reading.kind === "none" ? reading.found : `${reading.bytes.length} bytes of another kind`,
      });
      return undefined;
    }
    const certificateSha256 = certificate.sha256;
    log.info("Asking whether the device is genuine", { server: config.attestationUrl.host });
    const verdict = await attestDevice({ url: config.attestationUrl, certificate }, world, {
      timeout: config.timeouts.attestation,
      signal,
    });
    switch (verdict.kind) {
      case "genuine":
        log.info("The device is genuine", { certificate: certificateSha256, ms: verdict.ms });
        return { certificateSha256, attestedAt: world.clock.now() };
      case "refused":
        throw new JobFailure("attestation-refused", verdict.message);
      case "unavailable":
        throw new JobFailure("attestation-unavailable", `${verdict.message}; the device was not disturbed`);
    }
  });
}

/** Trust boundary: the bytes come from the device, DER or PEM; anything else counts as no certificate. */
function parseCertificate(bytes: Uint8Array): DiceCertificate | undefined {
  try {
    return parseDiceCertificate(derOf(bytes));
  } catch {
    return undefined;
  }
}

const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/;

function derOf(bytes: Uint8Array): Uint8Array {
  const base64 = PEM.exec(new TextDecoder("latin1").decode(bytes))?.[1];
  return base64 === undefined
    ? bytes
    : Uint8Array.from(atob(base64.replaceAll(/\s/g, "")), (letter) => letter.charCodeAt(0));
}
