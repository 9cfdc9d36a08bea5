import { chipOfId, type ImageChip } from "./chip.ts";
import { type ImageSource, readUpTo } from "./image_source.ts";
import { canCheck, type SignatureCheck } from "./secure_boot.ts";
import type { SecureBootKey } from "./secure_boot_key.ts";
import { looksLikeCutV1, looksLikeV1, openV1Check, v1Length, v1PaddedLength } from "./secure_boot_v1.ts";
import { blockLength, looksLikeBlock, openV2Check, sectorLength } from "./secure_boot_v2.ts";

/** The signatures that stand after an image. */
export interface FoundSignatures {
  /** Their checks, in file order; empty for an unsigned image. */
  readonly checks: readonly SignatureCheck[];
  /** File offset after the signature, or after the image where there is none. */
  readonly end: number;
  /** Bytes of the signature that are missing; 0 unless the file ends in it. */
  readonly missing: number;
}

const blocksInSector = 3;

/**
 * Looks for signatures after an image of `plainLength` bytes, v2 first: its sector stands at the next multiple
 * of 4096, a v1 signature right at the image's end.
 *
 * @throws {ImageError} `file-changed`
 */
export async function findSignatures(
  source: ImageSource,
  plainLength: number,
  options: {
    readonly chip: ImageChip;
    readonly keys: readonly SecureBootKey[];
    readonly signal?: AbortSignal | undefined;
  },
): Promise<FoundSignatures> {
  const { keys, signal } = options;
  const sectorOffset = signatureSectorOffset(plainLength);
  const sector = await readUpTo(source, { offset: sectorOffset, length: sectorLength, signal });
  const slots = Array.from({ length: blocksInSector }, (_, block) => {
    const bytes = sector.subarray(block * blockLength, (block + 1) * blockLength);
    return { bytes, block, offset: sectorOffset + block * blockLength };
  });
  // a device looks at block after block up to the first that is none
  const firstEmpty = slots.findIndex(({ bytes }) => !looksLikeBlock(bytes));
  const blocks = firstEmpty < 0 ? slots : slots.slice(0, firstEmpty);
  if (blocks.length > 0) {
    const missing = sectorLength - sector.length;
    const checks = missing > 0
      ? []
      : blocks.map(({ bytes, block, offset }) =>
        openV2Check(bytes, { block, offset, signedEnd: sectorOffset })
      );
    return { checks, end: sectorOffset + sectorLength, missing };
  }
  const rest = await readUpTo(source, { offset: plainLength, length: v1PaddedLength + 1, signal });
  if (looksLikeV1(rest)) {
    return { checks: [openV1Check(rest, plainLength, { keys })], end: plainLength + v1Length, missing: 0 };
  }
  // zeros and a few bytes are little evidence: only where v1 exists are they taken for the beginning of one
  const chip = chipOfId(options.chip.id);
  if (chip !== undefined && canCheck(chip, "v1") && looksLikeCutV1(rest)) {
    return { checks: [], end: plainLength + v1Length, missing: v1Length - rest.length };
  }
  return { checks: [], end: plainLength, missing: 0 };
}

/** Where the signature sector of an image stands, whether there is one or not. */
export function signatureSectorOffset(plainLength: number): number {
  return Math.ceil(plainLength / sectorLength) * sectorLength;
}
