import { formatRevisionRange } from "./chip_revision.ts";
import { parseDeviceName } from "./device_name.ts";
import { mistakenFileKinds } from "./file_kind.ts";
import type { ImageFacts, ImageFindingCode, ImageInspection } from "./image_inspection.ts";
import { judgeSignatures } from "./secure_boot_policy.ts";

/** Every reason for which a file is not sent, in the order in which they are told. */
export const imageRefusalCodes = [
  ...mistakenFileKinds,
  "wrong-chip",
  "malformed",
  "truncated",
  "checksum",
  "sha256",
  "too-large",
  "signature-corrupt",
  "signature-missing",
  "signature-untrusted",
  "secure-version",
] as const;

/** One of {@linkcode imageRefusalCodes}; each can be forced on its own. */
export type ImageRefusalCode = (typeof imageRefusalCodes)[number];

/** What the operator asks of an image. */
export interface ImagePolicy {
  /** The device the job is for, by name, with its memory variant or without; absent when a file is only looked at. */
  readonly device?: string;
  /** What the device says it is, a stranger's text; another chip has ended the job, so only variants are compared. */
  readonly reportedDevice?: string;
  /** Bytes that the device has room for. */
  readonly maxImageSize?: number;
  /** Whether an image without a Secure Boot signature is refused. */
  readonly requireSecureBootSignature: boolean;
  /** Digests of keys of which one must have signed, 64 or 32 lower-case hex digits; none means any key. */
  readonly trustedKeyDigests: readonly string[];
  /** Anti-rollback: the lowest `secure_version` that is sent. */
  readonly minSecureVersion?: number;
  /** Refusals that are overridden knowingly. */
  readonly forced: ReadonlySet<ImageRefusalCode>;
}

/** A reason for which the file is not sent. */
export interface ImageRefusal {
  /** Which reason, also the word that overrides it. */
  readonly code: ImageRefusalCode;
  /** What was found, what was wanted, what to do. */
  readonly message: string;
}

/** Something the device's configuration decides, which the program cannot see. */
export interface ImageWarning {
  /** Which warning. */
  readonly code: ImageWarningCode;
  /** One sentence. */
  readonly message: string;
}

/** The warnings there are: the findings of an image and those about the device. */
export type ImageWarningCode =
  | ImageFindingCode
  | "unknown-device"
  | "other-variant"
  | "unverified"
  | "chip-revision"
  | "slot-size"
  | "secure-version-unchecked"
  | "unsigned"
  | "signature-unverified";

/** The verdict over a file. */
export interface ImageJudgement {
  /** Why it must not be sent; empty when it may. */
  readonly refusals: readonly ImageRefusal[];
  /** What may be wrong with it. */
  readonly warnings: readonly ImageWarning[];
  /** Refusals that stand but were overridden. */
  readonly overridden: readonly ImageRefusal[];
}

/** Sizes of application partitions in common use: two slots in 4 MB, NBFC's in 8 MB, ESP-IDF's largest in 8 MB. */
const commonSlots = [0x10_0000, 0x29_0000, 0x3f_0000];

/**
 * Decides whether a file may be sent. It is refused when no device, or not this one, can take it, or when the
 * operator's conditions are not met; where the device's configuration decides, there is a warning.
 */
export function judgeImage(inspection: ImageInspection, policy: ImagePolicy): ImageJudgement {
  const facts = inspection.kind === "application" ? inspection : inspection.image;
  const signatures = judgeSignatures(facts, policy);
  const found = [
    ...judgeKind(inspection),
    ...(facts === undefined ? [] : [...judgeChip(facts, policy), ...judgeIntegrity(facts)]),
    ...judgeSize(inspection.size, policy),
    ...signatures.refusals,
    ...judgeSecureVersion(facts, policy),
  ];
  return {
    refusals: found.filter(({ code }) => !policy.forced.has(code)),
    warnings: facts === undefined ? [] : [
      ...warnOfDevice(facts, policy),
      ...warnOfLimits(facts, policy),
      ...warnOfRollback(facts, policy),
      ...signatures.warnings,
      ...facts.findings.filter(({ severity }) => severity === "warn").map(({ code, message }) => ({
        code,
        message,
      })),
    ],
    overridden: found.filter(({ code }) => policy.forced.has(code)),
  };
}

function judgeKind(inspection: ImageInspection): ImageRefusal[] {
  if (inspection.kind === "application") return [];
  return [refusal(inspection.what, `it is ${inspection.found}`, inspection.remedy)];
}

function judgeChip({ chip }: ImageFacts, { device = "" }: ImagePolicy): ImageRefusal[] {
  const wanted = parseDeviceName(device);
  if (wanted === undefined || wanted.chip === chip.name) return [];
  const found =
    `it is built for ${chip.name} (chip id ${chip.id}), but the job is for ${device} (${wanted.chip})`;
  return [refusal("wrong-chip", found, "build the application for that chip, or correct the device")];
}

function judgeIntegrity({ integrity, findings }: ImageFacts): ImageRefusal[] {
  const again = "build or fetch it again";
  const misaligned = findings.filter(({ severity }) => severity === "error");
  const refusals = misaligned.map(({ message }) =>
    refusal("malformed", message, "build it with ESP-IDF's tools")
  );
  const { verdict, where, reason, missing, missingIsExact, checksum, sha256 } = integrity;
  if (verdict === "truncated") {
    const least = missingIsExact ? "" : "at least ";
    const found = `it is cut in its ${where}, ${least}${missing} bytes are missing`;
    return [...refusals, refusal("truncated", found, again)];
  }
  if (verdict !== "corrupt") return refusals;
  if (reason !== undefined) {
    return [
      ...refusals,
      refusal("malformed", `its ${where} announces ${reason}`, `it was altered or damaged, ${again}`),
    ];
  }
  const altered = `it was altered or damaged after it was built, ${again}`;
  if (checksum !== undefined && checksum.stored !== checksum.computed) {
    const found = `its checksum is 0x${hexByte(checksum.stored)}, its data gives 0x${
      hexByte(checksum.computed)
    }`;
    refusals.push(refusal("checksum", found, altered));
  }
  if (sha256 !== undefined && sha256.stored !== sha256.computed) {
    const found = `its SHA-256 is ${sha256.stored}, its content gives ${sha256.computed}`;
    refusals.push(refusal("sha256", found, altered));
  }
  return refusals;
}

function judgeSize(size: number, { maxImageSize }: ImagePolicy): ImageRefusal[] {
  if (maxImageSize === undefined || size <= maxImageSize) return [];
  const found = `it has ${size} bytes, ${size - maxImageSize} more than the ${maxImageSize} that fit`;
  return [refusal("too-large", found, "make the application smaller, or the limit larger if the slot is")];
}

function judgeSecureVersion(
  facts: ImageFacts | undefined,
  { minSecureVersion }: ImagePolicy,
): ImageRefusal[] {
  const found = facts?.descriptor?.secureVersion;
  // what does not tell its secure version counts as 0, as the device takes it
  if (minSecureVersion === undefined || (found ?? 0) >= minSecureVersion) return [];
  const shown = found === undefined
    ? "it has no descriptor that tells its secure version"
    : `its secure version is ${found}`;
  return [refusal("secure-version", shown, `at least ${minSecureVersion} is wanted: raise it in the build`)];
}

function warnOfDevice({ chip }: ImageFacts, { device, reportedDevice = "" }: ImagePolicy): ImageWarning[] {
  if (device === undefined) return [];
  const wanted = parseDeviceName(device);
  if (wanted === undefined) {
    const message =
      `No chip is known for the device '${device}', so the image's (${chip.name}) was not compared`;
    return [{ code: "unknown-device", message }];
  }
  const [ours, theirs] = [wanted, parseDeviceName(reportedDevice)].map((name) => name?.variant);
  if (ours === undefined || theirs === undefined || ours === theirs) return [];
  const message = `The job is for memory variant ${ours}, the device reports ${theirs}; ` +
    "no image says which one it needs";
  return [{ code: "other-variant", message }];
}

function warnOfLimits(facts: ImageFacts, { maxImageSize }: ImagePolicy): ImageWarning[] {
  const { integrity, minRevision, maxRevision, size } = facts;
  const warnings: ImageWarning[] = [];
  if (integrity.verdict === "unverified") {
    const message = "The image has no SHA-256; its checksum is right, but that finds only some faults";
    warnings.push({ code: "unverified", message });
  }
  if (minRevision > 0 || maxRevision !== undefined) {
    const range = formatRevisionRange(minRevision, maxRevision);
    warnings.push({ code: "chip-revision", message: `The image needs a chip of revision ${range}` });
  }
  const exceeded = commonSlots.filter((slot) => size > slot).at(-1);
  if (maxImageSize === undefined && exceeded !== undefined) {
    const message = `The image has ${size} bytes, more than a slot of 0x${exceeded.toString(16)}; ` +
      "whether it fits is up to the device's partition table";
    warnings.push({ code: "slot-size", message });
  }
  return warnings;
}

function warnOfRollback({ descriptor }: ImageFacts, { minSecureVersion }: ImagePolicy): ImageWarning[] {
  const found = descriptor?.secureVersion ?? 0;
  if (found === 0 || minSecureVersion !== undefined) return [];
  const message =
    `The image's secure version ${found} was compared with nothing: a device that has burned a ` +
    "higher one refuses it; --min-secure-version says which one is burned";
  return [{ code: "secure-version-unchecked", message }];
}

function refusal(code: ImageRefusalCode, found: string, remedy: string): ImageRefusal {
  return { code, message: `Cannot send the firmware: ${found}; ${remedy}` };
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}
