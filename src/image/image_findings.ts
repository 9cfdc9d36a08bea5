import { type Chip, chipOfId, type ImageChip } from "./chip.ts";
import type { AppDescriptor } from "./app_descriptor.ts";
import type { ImageFinding, ImageFindingCode, TrailingBytes } from "./image_inspection.ts";
import type { ImageHeader } from "./image_header.ts";
import type { Integrity } from "./integrity.ts";
import { canCheck, type SecureBootSignature } from "./secure_boot.ts";
import { v1Length, v1PaddedLength } from "./secure_boot_v1.ts";
import { isMappedFromFlash, type Segment } from "./segments.ts";

/** What the findings are made of: an image whose verdicts are known. */
export interface FindingSubject {
  /** The chip it is built for. */
  readonly chip: ImageChip;
  /** Its header. */
  readonly header: ImageHeader;
  /** Its segments. */
  readonly segments: readonly Segment[];
  /** Whether the bytes are those that were built. */
  readonly integrity: Integrity;
  /** Its descriptor, if any. */
  readonly descriptor?: AppDescriptor;
  /** Its signatures. */
  readonly signatures: readonly SecureBootSignature[];
  /** What follows it. */
  readonly trailing?: TrailingBytes;
  /** Whether a byte between segments and checksum is not 0. */
  readonly padBytesSet: boolean;
  /** Whether it ends with the padding that a signature sector would follow. */
  readonly paddedForSigning: boolean;
}

const defaultPage = 64 * 1024;
/** Recent ESP-IDF reads the descriptor as part of the first segment and refuses a shorter one. */
const leastFirstSegment = 256;
/** Flash encryption works in blocks of 16 bytes; a round trip leaves the rest of the last block behind. */
const encryptionBlock = 16;
const noWriteProtectPin = 0xee;
const hex = (value: number) => `0x${value.toString(16)}`;

/** Everything worth saying about an image beyond its verdicts, the gravest first. */
export function findingsOf(subject: FindingSubject): ImageFinding[] {
  const chip = chipOfId(subject.chip.id);
  const found = [
    ...chipFindings(subject.chip),
    ...mappingFindings(subject, chip),
    ...segmentFindings(subject, chip),
    ...descriptorFindings(subject, chip),
    ...signatureFindings(subject, chip),
    ...headerFindings(subject),
    ...trailingFindings(subject),
  ];
  const rank = { error: 0, warn: 1, info: 2 };
  return found.sort((one, other) => rank[one.severity] - rank[other.severity]);
}

function chipFindings({ id, name, status }: ImageChip): ImageFinding[] {
  switch (status) {
    case "stable":
      return [];
    case "unknown":
      return [warn("unknown-chip", `The image is for chip id ${hex(id)}, which is not a known one`)];
    case "pre-production":
      return [warn("pre-production-chip", `The image is for ${name}, silicon that was never sold`)];
    default:
      return [info("preview-chip", `Support for ${name} is not released in ESP-IDF (${status})`)];
  }
}

/**
 * With a SHA-256 such an image is known by it, as one for RAM or as damaged; without one a descriptor and a right
 * checksum would be all that speaks for an application.
 */
function mappingFindings(subject: FindingSubject, chip: Chip | undefined): ImageFinding[] {
  const { segments, descriptor, integrity } = subject;
  const isKnownOtherwise = descriptor === undefined || integrity.verdict !== "unverified";
  if (chip === undefined || isKnownOtherwise || segments.some(isMappedFromFlash)) return [];
  const message = `No segment is in the flash mapping of ${chip.name}, where every application has one`;
  return [{ severity: "error", code: "no-mapped-segment", message }];
}

function segmentFindings(subject: FindingSubject, chip: Chip | undefined): ImageFinding[] {
  const { segments, header, descriptor } = subject;
  const findings: ImageFinding[] = [];
  const page = descriptor?.mmuPageSize ?? (chip?.configurablePage ? undefined : defaultPage);
  if (page !== undefined) {
    const misaligned = segments.filter((segment) =>
      isMappedFromFlash(segment) && segment.offset % page !== segment.address % page
    );
    findings.push(...misaligned.map((segment) => misalignment(segment, page)));
  }
  const first = segments[0];
  if (first !== undefined && first.length < leastFirstSegment) {
    const message =
      `The first segment has ${first.length} bytes, a descriptor would have ${leastFirstSegment}`;
    findings.push({ severity: first.length === 0 ? "error" : "warn", code: "short-first-segment", message });
  }
  const loaded = segments.filter(({ memory }) => memory !== "padding" && memory !== "unloaded");
  const byAddress = loaded.filter(({ length }) => length > 0).sort((a, b) => a.address - b.address);
  for (const [index, segment] of byAddress.entries()) {
    const next = byAddress[index + 1];
    if (next !== undefined && segment.address + segment.length > next.address) {
      const message = `Segments ${segment.index} and ${next.index} overlap at address ${hex(next.address)}`;
      findings.push(warn("overlapping-segments", message));
    }
  }
  const holdsEntry = ({ address, length }: Segment) =>
    header.entry >= address && header.entry < address + length;
  if (!loaded.some((segment) => holdsEntry(segment) && !isMappedFromFlash(segment))) {
    const message = `The entry address ${hex(header.entry)} is in no segment that is loaded into RAM`;
    findings.push(warn("entry-address", message));
  }
  return findings;
}

function misalignment({ index, address, offset }: Segment, page: number): ImageFinding {
  const message = `Segment ${index} for address ${hex(address)} stands at offset ${hex(offset)}, ` +
    `which cannot be mapped in pages of ${page / 1024} KB`;
  return { severity: "error", code: "misaligned-segment", message };
}

function descriptorFindings(subject: FindingSubject, chip: Chip | undefined): ImageFinding[] {
  const { descriptor } = subject;
  if (descriptor === undefined) {
    const consequence = chip?.configurablePage
      ? `; bootloaders of ESP-IDF 5.4 and later refuse that on ${chip.name}`
      : "";
    return [warn("no-descriptor", `The image has no application descriptor${consequence}`)];
  }
  const findings: ImageFinding[] = [];
  if (chip !== undefined && descriptor.secureVersion > chip.secureVersionBits) {
    const message = `The image's secure version ${descriptor.secureVersion} cannot be burned: ` +
      `${chip.name} counts to ${chip.secureVersionBits}`;
    findings.push(warn("secure-version-field", message));
  }
  return findings;
}

function signatureFindings(subject: FindingSubject, chip: Chip | undefined): ImageFinding[] {
  const { signatures, paddedForSigning } = subject;
  const findings: ImageFinding[] = [];
  if (paddedForSigning && signatures.length === 0) {
    findings.push(warn("padded-not-signed", "The image is padded for signing but carries no signature"));
  }
  if (chip === undefined) return findings;
  const schemes = new Set(signatures.map(({ scheme }) => scheme));
  for (const scheme of schemes) {
    if (scheme !== "unknown" && !canCheck(chip, scheme)) {
      findings.push(warn("unsupported-scheme", `${chip.name} cannot check signatures of scheme ${scheme}`));
    }
  }
  if (signatures.length > chip.signatureBlocks) {
    const message = `${chip.name} looks at the first of the ${signatures.length} signature blocks only`;
    findings.push(warn("ignored-blocks", message));
  }
  return findings;
}

function headerFindings({ header, padBytesSet }: FindingSubject): ImageFinding[] {
  const findings: ImageFinding[] = [];
  if (header.hashFlag > 1) {
    const message = `The flag for an appended SHA-256 is ${header.hashFlag}; devices take it for yes`;
    findings.push(warn("hash-flag", message));
  }
  if (padBytesSet) findings.push(warn("pad-bytes", "The padding before the checksum is not zero"));
  if (header.reserved !== 0) {
    findings.push(warn("reserved-bits", `Reserved header bytes are ${hex(header.reserved)} instead of 0`));
  }
  if (header.wpPin !== noWriteProtectPin) {
    findings.push(info("pin-setting", `The write-protect pin is set to ${header.wpPin}`));
  }
  return findings;
}

function trailingFindings({ trailing, signatures }: FindingSubject): ImageFinding[] {
  if (trailing === undefined || trailing.content === "padding") return [];
  const isSpare = signatures[0]?.scheme === "v1" && trailing.length === v1PaddedLength - v1Length;
  if (isSpare) return [];
  const message = `${trailing.length} bytes that are not padding follow the image; devices ignore them`;
  return [
    trailing.length < encryptionBlock ? info("trailing-data", message) : warn("trailing-data", message),
  ];
}

function warn(code: ImageFindingCode, message: string): ImageFinding {
  return { severity: "warn", code, message };
}

function info(code: ImageFindingCode, message: string): ImageFinding {
  return { severity: "info", code, message };
}
