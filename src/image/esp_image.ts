import {
  type BootloaderDescriptor,
  kindOfRamImage,
  parseBootloaderDescriptor,
  type RamImageKind,
} from "./bootloader.ts";
import { chipOfId } from "./chip.ts";
import {
  type FileHead,
  type RecognisedFile,
  recogniseEncrypted,
  recogniseHead,
  recogniseRest,
} from "./file_kind.ts";
import { type ReadImage, readImage } from "./image_facts.ts";
import { imageMagic } from "./image_header.ts";
import type { ImageFacts, ImageInspection, MistakenFile } from "./image_inspection.ts";
import { type ImageSource, readUpTo, windowSize } from "./image_source.ts";
import { beginsWithErasedFlash, findApplication, isReflashDigest, type MergedImage } from "./merged_image.ts";
import { hasAppMagic } from "./app_descriptor.ts";
import type { SecureBootKey } from "./secure_boot_key.ts";

/** How to inspect a file. */
export interface InspectOptions {
  /** Ends the reading. */
  readonly signal?: AbortSignal;
  /** Keys to verify a Secure Boot v1 signature with, which does not carry its own. */
  readonly keys?: readonly SecureBootKey[];
}

/**
 * Tells what a file is, and when it is an ESP image, everything about it: what it says, whether it is whole,
 * who signed it. A stranger's bytes never make this throw: what is wrong with them is in the result.
 *
 * Reads the file once, in windows of 64 KiB, after a few small reads by which it is known where things stand.
 *
 * @throws {ImageError} `file-changed`: the file became shorter
 * @throws the signal's reason, and what `source` throws
 */
export async function inspectImage(
  source: ImageSource,
  options: InspectOptions = {},
): Promise<ImageInspection> {
  const { signal, keys = [] } = options;
  const bytes = await readUpTo(source, { offset: 0, length: windowSize, signal });
  const head: FileHead = { bytes, size: source.size };

  const recognised = recogniseHead(head);
  if (recognised !== undefined) return mistaken(head, recognised);
  if (beginsWithErasedFlash(bytes)) {
    return merged(head, await findApplication(source, 0, signal));
  }
  if (isReflashDigest(bytes)) return mistaken(head, bootloader("with its Secure Boot v1 digest"));
  if (bytes[0] !== imageMagic) return mistaken(head, recogniseRest(head));

  const image = await readImage(source, head, { keys, signal });
  const encrypted = recogniseChanceMagic(head, image);
  if (encrypted !== undefined) return mistaken(head, encrypted);
  const ramImage = kindOfRamImage(image.walk, evidence(head, image.facts));
  if (ramImage === undefined) return { kind: "application", ...image.facts };

  const descriptor = parseBootloaderDescriptor(bytes);
  const facts = { ...image.facts, ...(descriptor === undefined ? {} : { bootloader: descriptor }) };
  const start = chipOfId(image.facts.chip.id)?.bootloaderOffset ?? 0;
  const behind = await findApplication(source, start, signal);
  if (behind.merged) return merged(head, behind, facts);
  return mistaken(head, describeRamImage(ramImage, descriptor), { image: facts });
}

/** One of 256 encrypted files begins with the magic by chance; the rest of its header is then nonsense. */
function recogniseChanceMagic(head: FileHead, { facts, walk }: ReadImage): RecognisedFile | undefined {
  const isNonsense = walk.fault !== undefined && facts.header.reserved !== 0 && !hasAppMagic(head.bytes);
  return isNonsense ? recogniseEncrypted(head) : undefined;
}

function evidence(head: FileHead, { chip, integrity, trailing }: ImageFacts) {
  return {
    head: head.bytes,
    chipKnown: chipOfId(chip.id) !== undefined,
    intact: integrity.verdict === "intact",
    follows: trailing?.content === "data",
  };
}

function describeRamImage(kind: RamImageKind, descriptor: BootloaderDescriptor | undefined): RecognisedFile {
  if (kind === "bootloader") return bootloader(descriptor && `of ESP-IDF ${descriptor.idfVersion}`);
  return {
    what: "ram-image",
    found: "an image that is loaded into RAM only, with no segment in the flash mapping",
    remedy: "send an application built for the ESP-IDF bootloader",
  };
}

function bootloader(detail: string | undefined): RecognisedFile {
  return {
    what: "bootloader",
    found: detail === undefined ? "a bootloader" : `a bootloader ${detail}`,
    remedy: "send the application's .bin file: a bootloader cannot be updated this way",
  };
}

function merged(head: FileHead, content: MergedImage, image?: ImageFacts): MistakenFile {
  const { applicationOffset } = content;
  const where = applicationOffset === undefined ? "" : ` at offset 0x${applicationOffset.toString(16)}`;
  const recognised: RecognisedFile = {
    what: "merged-image",
    found: "a merged flash image, with bootloader and partition table" +
      (applicationOffset === undefined ? "" : ` and the application${where}`),
    remedy: `send only the application${where === "" ? "" : `, the part that begins${where}`}`,
  };
  return mistaken(head, recognised, {
    ...(applicationOffset === undefined ? {} : { applicationOffset }),
    ...(image === undefined ? {} : { image }),
  });
}

function mistaken(
  { size }: FileHead,
  recognised: RecognisedFile,
  more: Pick<MistakenFile, "applicationOffset" | "image"> = {},
): MistakenFile {
  return { kind: "mistaken", ...recognised, size, ...more };
}
