import type { AppDescriptor } from "./app_descriptor.ts";
import type { BootloaderDescriptor } from "./bootloader.ts";
import { formatRevision, formatRevisionRange } from "./chip_revision.ts";
import type { ImageFacts, ImageInspection } from "./image_inspection.ts";
import type { Comparison, Integrity } from "./integrity.ts";
import type { SecureBootSignature } from "./secure_boot.ts";
import type { Segment } from "./segments.ts";

/** A name and what is to be said under it. */
type Row = readonly [name: string, value: string];

const nameWidth = 20;
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/**
 * An inspection for people, line by line: everything `esptool image_info` shows, and what it leaves out. The
 * lines hold no control characters, whatever the image says.
 */
export function imageTable(inspection: ImageInspection): string[] {
  const { size } = inspection;
  if (inspection.kind === "application") {
    return [...rows([["File", `application image, ${formatSize(size)}`]]), ...imageLines(inspection)];
  }
  const { found, remedy, image } = inspection;
  return [
    ...rows([["File", `${found}, ${formatSize(size)}`], ["What to do", remedy]]),
    ...(image === undefined ? [] : imageLines(image)),
  ];
}

function imageLines(facts: ImageFacts): string[] {
  return [
    ...rows(headerRows(facts)),
    ...segmentLines(facts),
    ...rows([
      ...integrityRows(facts.integrity),
      ...lengthRows(facts),
      ...selfDescriptionRows(facts),
      ...signatureRows(facts.signatures),
      ...facts.findings.map(({ severity, message }): Row => [severityNames[severity], message]),
    ]),
  ];
}

const severityNames = { error: "Error", warn: "Warning", info: "Note" };
const leftOut = "not said";

function headerRows({ chip, header, minRevision, maxRevision }: ImageFacts): Row[] {
  const { flash, entry, wpPin, pinDrive } = header;
  const released = chip.status === "stable" ? "" : `, ${chip.status}`;
  const flashSize = flash.size === undefined ? "unknown" : formatSize(flash.size);
  return [
    ["Chip", `${chip.name} (id ${chip.id}${released})`],
    [
      "Chip revision",
      `${formatRevisionRange(minRevision, maxRevision)} (legacy minimum ${header.legacyMinRevision})`,
    ],
    ["Entry point", address(entry)],
    ["Flash mode", flash.mode],
    ["Flash size", flashSize],
    ["Flash frequency", flash.frequency],
    ["WP pin", wpPin === 0xee ? "0xee (disabled)" : `0x${wpPin.toString(16).padStart(2, "0")}`],
    [
      "Pin drive",
      `clk ${pinDrive[0]}, q ${pinDrive[1]}, d ${pinDrive[2]}, cs ${pinDrive[3]}, ` +
      `hd ${pinDrive[4]}, wp ${pinDrive[5]}`,
    ],
  ];
}

function segmentLines({ segments, header }: ImageFacts): string[] {
  const followed = segments.length === header.segmentCount
    ? `${segments.length}`
    : `${segments.length} of the ${header.segmentCount} announced`;
  const lines = segments.map(({ index, length, offset, memory, ...segment }: Segment) =>
    [
      String(index).padStart(4),
      address(segment.address),
      `0x${length.toString(16).padStart(6, "0")}`,
      address(offset),
      memory,
    ].join("  ")
  );
  const titles = ["   #", "Load addr.", "Length  ", "File offs.", "Memory"].join("  ");
  return [...rows([["Segments", followed]]), ...(lines.length === 0 ? [] : [titles, ...lines])];
}

function integrityRows(
  { verdict, where, reason, missing, missingIsExact, checksum, sha256 }: Integrity,
): Row[] {
  const place = where === undefined ? "" : ` in ${where}`;
  const cause = reason === undefined ? "" : `: ${reason}`;
  const least = missingIsExact ? "" : "at least ";
  const lack = missing === undefined ? "" : `, ${least}${missing} bytes missing`;
  return [
    ["Integrity", `${verdict}${place}${cause}${lack}`],
    ["Checksum", comparison(checksum, (sum) => `0x${sum.toString(16).padStart(2, "0")}`)],
    ["Validation hash", comparison(sha256, (digest) => digest)],
  ];
}

function comparison<Value>(found: Comparison<Value> | undefined, show: (value: Value) => string): string {
  if (found === undefined) return "none";
  return found.stored === found.computed
    ? `${show(found.stored)} (valid)`
    : `${show(found.stored)} (invalid, computed ${show(found.computed)})`;
}

function lengthRows({ plainLength, fullLength, trailing }: ImageFacts): Row[] {
  if (plainLength === undefined || fullLength === undefined) return [];
  const signed = fullLength === plainLength ? "" : `, ${fullLength} bytes with the signature`;
  const image: Row = ["Image length", `${plainLength} bytes${signed}`];
  if (trailing === undefined) return [image];
  return [image, [
    "Trailing bytes",
    `${trailing.length} of ${trailing.content} at ${address(trailing.offset)}`,
  ]];
}

function selfDescriptionRows({ descriptor, bootloader }: ImageFacts): Row[] {
  if (bootloader !== undefined) return bootloaderRows(bootloader);
  return descriptor === undefined ? [["App descriptor", "none"]] : descriptorRows(descriptor);
}

function bootloaderRows(
  { version, compileTime, idfVersion, secureVersion }: BootloaderDescriptor,
): Row[] {
  return [
    ["Bootloader version", String(version)],
    ["Compile time", compileTime || leftOut],
    ["ESP-IDF", idfVersion],
    ["Secure version", String(secureVersion)],
  ];
}

function descriptorRows(descriptor: AppDescriptor): Row[] {
  const { minEfuseBlockRevision, maxEfuseBlockRevision, mmuPageSize, flashMode } = descriptor;
  return [
    ["Project name", descriptor.project || leftOut],
    ["App version", descriptor.version || leftOut],
    ["Compile time", `${descriptor.date} ${descriptor.time}`.trim() || leftOut],
    ["ESP-IDF", descriptor.idfVersion || leftOut],
    ["Secure version", String(descriptor.secureVersion)],
    ["ELF file SHA-256", descriptor.appElfSha256 ?? leftOut],
    ["eFuse block revision", formatRevisionRange(minEfuseBlockRevision, maxEfuseBlockRevision)],
    ["MMU page size", mmuPageSize === undefined ? leftOut : formatSize(mmuPageSize)],
    ...(flashMode === undefined ? [] : [["App flash mode", flashMode] as const]),
  ];
}

function signatureRows(signatures: readonly SecureBootSignature[]): Row[] {
  if (signatures.length === 0) return [["Secure Boot", "not signed"]];
  return signatures.flatMap(({ scheme, block, valid, reason, keyDigest }): Row[] => {
    const verdict = typeof valid === "string" ? valid : valid ? "valid" : "invalid";
    const why = reason === undefined ? "" : `: ${reason}`;
    const signature: Row = ["Secure Boot", `${scheme}, block ${block}, ${verdict}${why}`];
    return keyDigest === undefined ? [signature] : [signature, ["Public key digest", keyDigest]];
  });
}

/** The same for programs; `docs/schemas/image.schema.json` describes it. */
export function toImageJson(inspection: ImageInspection): Record<string, unknown> {
  if (inspection.kind === "application") {
    const { kind, size, ...facts } = inspection;
    return { kind, size, image: factsJson(facts) };
  }
  const { image, ...mistaken } = inspection;
  if (image === undefined) return { ...mistaken };
  const { size: _, ...facts } = image;
  return { ...mistaken, image: factsJson(facts) };
}

function factsJson(facts: Omit<ImageFacts, "size">): Record<string, unknown> {
  const { minRevision, maxRevision, header, ...rest } = facts;
  const { chipId: _, ...said } = header;
  return {
    ...rest,
    header: said,
    minRevision: formatRevision(minRevision),
    ...(maxRevision === undefined ? {} : { maxRevision: formatRevision(maxRevision) }),
  };
}

function rows(pairs: readonly Row[]): string[] {
  return pairs.map(([name, value]) => `${name.padEnd(nameWidth)}  ${value}`.trimEnd());
}

function address(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

function formatSize(bytes: number): string {
  if (bytes > 0 && bytes % mebibyte === 0) return `${bytes / mebibyte} MB`;
  return bytes > 0 && bytes % kibibyte === 0 ? `${bytes / kibibyte} KB` : `${bytes} bytes`;
}
