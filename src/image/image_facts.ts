import { descriptorLength, descriptorOffset, parseAppDescriptor } from "./app_descriptor.ts";
import { chipOfId, identifyChip, type ImageChip } from "./chip.ts";
import type { FileHead } from "./file_kind.ts";
import { findingsOf } from "./image_findings.ts";
import { headerLength, parseImageHeader, revisionsOf } from "./image_header.ts";
import type { ImageFacts, TrailingBytes } from "./image_inspection.ts";
import { type ByteTap, type ImageSource, readThrough } from "./image_source.ts";
import { integrityOfFault, openIntegrityCheck } from "./integrity.ts";
import type { SecureBootKey } from "./secure_boot_key.ts";
import { sectorLength } from "./secure_boot_v2.ts";
import { plainEnd, type SegmentWalk, walkSegments } from "./segments.ts";
import { findSignatures, type FoundSignatures, signatureSectorOffset } from "./signature_search.ts";

/** An image read to its end, and the way its segments were followed. */
export interface ReadImage {
  /** What it says and whether it is true. */
  readonly facts: ImageFacts;
  /** Its segments, as far as they could be followed. */
  readonly walk: SegmentWalk;
}

/**
 * Reads an image: first its structure, by which it is known where everything stands, then all of its bytes in
 * one pass for checksum, SHA-256 and signatures together.
 *
 * @throws {ImageError} `file-changed`
 */
export async function readImage(
  source: ImageSource,
  head: FileHead,
  options: { readonly keys: readonly SecureBootKey[]; readonly signal?: AbortSignal | undefined },
): Promise<ReadImage> {
  const header = parseImageHeader(head.bytes.subarray(0, headerLength));
  const chip = identifyChip(header.chipId);
  const descriptor = parseAppDescriptor(
    head.bytes.subarray(descriptorOffset, descriptorOffset + descriptorLength),
  );
  const walk = await walkSegments(source, { header, chip: chipOfId(header.chipId) }, options.signal);
  const said = {
    chip,
    header,
    ...revisionsOf(header),
    segments: walk.segments,
    ...(descriptor === undefined ? {} : { descriptor }),
  };
  const measures = walk.fault === undefined
    ? await measure(source, walk, { chip, hashAppended: header.hashFlag !== 0, ...options })
    : unmeasurable(integrityOfFault(walk.fault));
  const { padBytesSet, paddedForSigning, ...measured } = measures;
  const facts = { size: source.size, ...said, ...measured };
  return { facts: { ...facts, findings: findingsOf({ ...facts, padBytesSet, paddedForSigning }) }, walk };
}

/** The part of the facts that needs every byte. */
interface Measures
  extends Pick<ImageFacts, "integrity" | "signatures" | "plainLength" | "fullLength" | "trailing"> {
  readonly padBytesSet: boolean;
  readonly paddedForSigning: boolean;
}

function unmeasurable(integrity: ImageFacts["integrity"]): Measures {
  return { integrity, signatures: [], padBytesSet: false, paddedForSigning: false };
}

async function measure(
  source: ImageSource,
  walk: SegmentWalk,
  options: {
    readonly chip: ImageChip;
    readonly hashAppended: boolean;
    readonly keys: readonly SecureBootKey[];
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Measures> {
  const { hashAppended, signal } = options;
  const { size } = source;
  const plainLength = plainEnd(walk.end, hashAppended);
  const check = openIntegrityCheck(walk, { size, hashAppended });
  const found: FoundSignatures = size < plainLength
    ? { checks: [], end: plainLength, missing: 0 }
    : await findSignatures(source, plainLength, options);
  const trailing = new TrailingTap(found.end, size);
  await readThrough(source, [...check.taps, ...found.checks.flatMap(({ taps }) => taps), trailing], signal);
  const { integrity, padBytesSet } = check.conclude();
  const { missing } = found;
  const rest = trailing.conclude();
  return {
    // a wrong sum says more about an image than a signature that is cut
    integrity: missing === 0 || integrity.verdict === "corrupt"
      ? integrity
      : { ...integrity, verdict: "truncated", where: "signature", missing, missingIsExact: true },
    signatures: found.checks.map((signature) => signature.conclude()),
    plainLength,
    fullLength: found.end,
    ...(rest === undefined ? {} : { trailing: rest }),
    padBytesSet,
    paddedForSigning: rest?.content === "padding" && size % sectorLength === 0 &&
      size >= signatureSectorOffset(plainLength),
  };
}

/** Looks whether the bytes after an image are padding: all of them 0xFF, or all of them 0. */
class TrailingTap implements ByteTap {
  readonly end: number;
  readonly #from: number;
  #first: number | undefined;
  #isPadding = true;

  constructor(from: number, size: number) {
    this.#from = from;
    this.end = size;
  }

  update(bytes: Uint8Array, offset: number): void {
    const rest = bytes.subarray(Math.max(0, this.#from - offset));
    const first = this.#first ??= rest[0];
    if (!this.#isPadding || first === undefined) return;
    this.#isPadding = (first === 0 || first === 0xff) && rest.every((byte) => byte === first);
  }

  conclude(): TrailingBytes | undefined {
    if (this.#first === undefined) return undefined;
    const content = this.#isPadding ? "padding" : "data";
    return { offset: this.#from, length: this.end - this.#from, content };
  }
}
