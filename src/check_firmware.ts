import { inspectImage } from "./image/esp_image.ts";
import type { SecureBootKey } from "./image/secure_boot_key.ts";
import type { ImageInspection } from "./image/image_inspection.ts";
import { type ImageJudgement, judgeImage } from "./image/image_policy.ts";
import { JobFailure } from "./job/job_outcome.ts";
import type { CheckSettings } from "./job/check_config.ts";
import type { World } from "./world.ts";

/** A file and what it turned out to be. */
export interface InspectedFirmware {
  /** What the file is, with all it says of itself. */
  readonly inspection: ImageInspection;
  /** Hexadecimal digests of the trusted Secure Boot keys, those of key files included. */
  readonly trustedKeyDigests: readonly string[];
}

/** Reads the whole file once and tells what it is, and which of the trusted `keys` have signed it. */
export async function inspectFirmware(
  path: string,
  { check, keys }: { readonly check: CheckSettings; readonly keys: readonly SecureBootKey[] },
  world: World,
  signal: AbortSignal,
): Promise<InspectedFirmware> {
  using file = await world.files.open(path);
  const source = {
    size: await file.size(),
    readAt: (offset: number, into: Uint8Array) => file.readAt(offset, into),
  };
  return {
    inspection: await inspectImage(source, { signal, keys }),
    trustedKeyDigests: [...check.trustedKeyDigests, ...keys.map((key) => key.digest)],
  };
}

/** What the image is compared with. */
export interface Expectations {
  /** `--device`, normalised; `undefined` when a file is only looked at. */
  readonly device: string | undefined;
  /** What `/info` says, when it says it. */
  readonly reportedDevice: string | undefined;
}

/** What speaks against sending the file to this device. */
export function judgeFirmware(
  { inspection, trustedKeyDigests }: InspectedFirmware,
  check: CheckSettings,
  expected: Expectations,
): ImageJudgement {
  return judgeImage(inspection, {
    ...(expected.device === undefined ? {} : { device: expected.device }),
    ...(expected.reportedDevice === undefined ? {} : { reportedDevice: expected.reportedDevice }),
    ...(check.maxImageSize === undefined ? {} : { maxImageSize: check.maxImageSize }),
    requireSecureBootSignature: check.requireSecureBootSignature,
    trustedKeyDigests,
    ...(check.minSecureVersion === undefined ? {} : { minSecureVersion: check.minSecureVersion }),
    forced: check.forced,
  });
}

/**
 * Refuses an image that this device cannot run, before the device is disturbed.
 *
 * Throws {@linkcode JobFailure} `image-refused` with the first finding that was not overridden; warnings and overridden
 * findings go to `warn`.
 */
export function demandFitImage(
  inspected: InspectedFirmware,
  check: CheckSettings,
  expected: Expectations,
  warn: (message: string) => void,
): void {
  const judgement = judgeFirmware(inspected, check, expected);
  for (const warning of judgement.warnings) warn(warning.message);
  for (const finding of judgement.overridden) {
    warn(`Overridden by --force-image ${finding.code}: ${finding.message}`);
  }
  const [first, ...others] = judgement.refusals;
  if (first === undefined) return;
  for (const other of others) warn(`Also: ${other.message}`);
  throw new JobFailure("image-refused", `${first.message} [--force-image ${first.code} overrides this]`, {
    refusal: first.code,
  });
}

/** The version in the application descriptor, when there is one. */
export function imageVersion(inspection: ImageInspection): string | undefined {
  return inspection.kind === "application" ? inspection.descriptor?.version || undefined : undefined;
}
