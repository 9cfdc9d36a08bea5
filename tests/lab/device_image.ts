import { createHash } from "node:crypto";

/** Whether the boot loader would take these bytes: magic, segments, checksum, and the SHA-256 if the image has one. */
export function isBootable(image: Uint8Array): boolean {
  if (image[0] !== 0xe9 || image.length < 24) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  let end = 24;
  let checksum = 0xef;
  for (let segment = 0; segment < view.getUint8(1); segment++) {
    if (end + 8 > image.length) return false;
    const length = view.getUint32(end + 4, true);
    if (end + 8 + length > image.length) return false;
    for (const byte of image.subarray(end + 8, end + 8 + length)) checksum ^= byte;
    end += 8 + length;
  }
  const checksumAt = end | 15;
  if (image[checksumAt] !== checksum) return false;
  if (image[23] !== 1) return true;
  const digest = createHash("sha256").update(image.subarray(0, checksumAt + 1)).digest();
  return digest.equals(image.subarray(checksumAt + 1, checksumAt + 33));
}

/** The version in the application descriptor at 0x20, or `undefined` when there is none. */
export function versionOf(image: Uint8Array): string | undefined {
  if (image.length < 0x50 || image.subarray(0x20, 0x24).toHex() !== "3254cdab") return undefined;
  const [version = ""] = new TextDecoder().decode(image.subarray(0x30, 0x50)).split("\0");
  return version;
}
