import { type ImageRefusalCode, imageRefusalCodes } from "../image/image_policy.ts";
import { parseKeyDigest } from "../image/secure_boot_key.ts";
import { type Faults, parseSize, parseSwitch, type Setting, type Settings } from "./option.ts";

/** What makes an image unfit to be sent, as far as the user decides it. */
export interface CheckSettings {
  /** Findings that the user overrides knowingly. */
  readonly forced: ReadonlySet<ImageRefusalCode>;
  /** Bytes. */
  readonly maxImageSize: number | undefined;
  /** Refuse an image without a Secure Boot signature. */
  readonly requireSecureBootSignature: boolean;
  /** Lower-case hex SHA-256 digests, as burned into the devices. */
  readonly trustedKeyDigests: readonly string[];
  /** Files with trusted Secure Boot keys: PEM, or a raw key or digest. */
  readonly trustedKeyFiles: readonly string[];
  /** Anti-rollback version below which an image is refused. */
  readonly minSecureVersion: number | undefined;
}

/** Reads the settings of the image check; faults are added to `faults`. */
export function readCheckSettings(settings: Settings, faults: Faults): CheckSettings {
  const all = <Value>(name: string, parse: (text: string) => Value): Value[] =>
    settings.list(name).map((setting: Setting) => faults.collect(setting, parse)).filter((value) =>
      value !== undefined
    );
  return {
    forced: new Set(all("force-image", parseRefusalCode)),
    maxImageSize: faults.collect(settings.find("max-image-size"), parseSize),
    requireSecureBootSignature: faults.collect(settings.find("require-secure-boot-signature"), parseSwitch) ??
      false,
    trustedKeyDigests: all("secure-boot-key-digest", parseDigestOfKey),
    trustedKeyFiles: settings.list("secure-boot-key").map((setting) => setting.value),
    minSecureVersion: faults.collect(settings.find("min-secure-version"), parseSecureVersion),
  };
}

function parseRefusalCode(text: string): ImageRefusalCode {
  const code = imageRefusalCodes.find((candidate) => candidate === text);
  if (code !== undefined) return code;
  throw new SyntaxError(`Cannot override finding '${text}': wanted one of ${imageRefusalCodes.join(", ")}`);
}

function parseDigestOfKey(text: string): string {
  const digest = parseKeyDigest(text);
  if (digest !== undefined) return digest;
  throw new SyntaxError(
    `Cannot use '${text}' as a key digest: wanted 64 hexadecimal digits (32 for the ESP32-C2)`,
  );
}

function parseSecureVersion(text: string): number {
  const version = /^\d{1,3}$/.test(text) ? Number(text) : NaN;
  if (version <= 32) return version;
  throw new SyntaxError(`Cannot use '${text}' as a secure version: wanted a number from 0 to 32`);
}
