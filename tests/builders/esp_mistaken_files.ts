import { deflateRawSync, gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import {
  type Bytes,
  codeLikeBytes,
  concatBytes,
  fixedText,
  noiseBytes,
  padBytes,
  u32le,
  withBytes,
} from "./esp_bytes.ts";
import { type EspChip } from "./esp_chips.ts";
import { buildEspApp, sha256 } from "./esp_image.ts";
import { crc32 } from "./esp_secure_boot.ts";

/** The .elf beside the .bin: a 32-bit little-endian executable for RISC-V or Xtensa. */
export function buildElf(machine: "riscv" | "xtensa" = "riscv"): Bytes {
  const header = new Uint8Array(52);
  const view = new DataView(header.buffer);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine === "riscv" ? 243 : 94, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, 0x40374000, true);
  view.setUint16(40, 52, true);
  return concatBytes(header, codeLikeBytes(0x1000, 61));
}

/** `image` in UF2 blocks of 512 bytes, 256 of them payload. */
export function buildUf2(image: Uint8Array): Bytes {
  const count = Math.ceil(image.length / 256);
  const blocks = Array.from({ length: count }, (_, index) => {
    const block = new Uint8Array(512);
    const words = [0x0a324655, 0x9e5d5157, 0x2000, index * 256, 256, index, count, 0xc47e5767];
    block.set(concatBytes(...words.map(u32le)));
    block.set(image.subarray(index * 256, index * 256 + 256), 32);
    block.set(u32le(0x0ab16f30), 508);
    return block;
  });
  return concatBytes(...blocks);
}

/** `image` as Intel HEX records of 16 bytes. */
export function buildIntelHex(image: Uint8Array): Bytes {
  const lines = [":020000040000FA"];
  for (let at = 0; at < image.length; at += 16) {
    const data = image.subarray(at, at + 16);
    const record = concatBytes(Uint8Array.of(data.length, at >> 8 & 0xff, at & 0xff, 0), data);
    const sum = record.reduce((total, byte) => total + byte, 0);
    lines.push(":" + concatBytes(record, Uint8Array.of(-sum & 0xff)).toHex().toUpperCase());
  }
  return new TextEncoder().encode([...lines, ":00000001FF", ""].join("\r\n"));
}

/** A zip archive of one deflated file. */
export function buildZip(name: string, content: Uint8Array): Bytes {
  const packed = deflateRawSync(content);
  const path = new TextEncoder().encode(name);
  const shared = new Uint8Array(26);
  const view = new DataView(shared.buffer);
  view.setUint16(0, 20, true);
  view.setUint16(4, 8, true);
  view.setUint32(10, crc32(content), true);
  view.setUint32(14, packed.length, true);
  view.setUint32(18, content.length, true);
  view.setUint16(22, path.length, true);
  const local = concatBytes(u32le(0x04034b50), shared, path, packed);
  const central = concatBytes(
    u32le(0x02014b50),
    Uint8Array.of(20, 0),
    shared,
    new Uint8Array(14),
    path,
  );
  const end = concatBytes(
    u32le(0x06054b50),
    new Uint8Array(4),
    Uint8Array.of(1, 0, 1, 0),
    u32le(central.length),
    u32le(local.length),
    new Uint8Array(2),
  );
  return concatBytes(local, central, end);
}

/** `content` through gzip: a layer blob that nobody unpacked. */
export function buildGzip(content: Uint8Array): Bytes {
  return new Uint8Array(gzipSync(content));
}

/** The start of an .xz stream; its body is noise. */
export function buildXz(): Bytes {
  return concatBytes(Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4), noiseBytes(2000, 62));
}

/** The start of a bzip2 stream; its body is noise. */
export function buildBzip2(): Bytes {
  return concatBytes(new TextEncoder().encode("BZh91AY&SY"), noiseBytes(2000, 63));
}

/** A .zst file: one frame with a window of 1 KiB whose only block is the beginning of the content as it is. */
export function buildZstd(content: Uint8Array): Bytes {
  const head = content.subarray(0, 1024);
  const blockHeader = u32le(head.length << 3 | 1).subarray(0, 3);
  return concatBytes(u32le(0xfd2fb528), Uint8Array.of(0, 0), blockHeader, head);
}

/** An empty 7z archive: signature, version 0.4, and a start header for no packed data behind it. */
export function build7z(): Bytes {
  const startHeader = new Uint8Array(20);
  const signature = Uint8Array.of(0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4);
  return concatBytes(signature, u32le(crc32(startHeader)), startHeader);
}

/** A ustar archive of one file: an OCI layer that nobody unpacked. */
export function buildUstar(name: string, content: Uint8Array): Bytes {
  const octal = (value: number, width: number) =>
    fixedText(value.toString(8).padStart(width - 1, "0"), width);
  const header = concatBytes(
    fixedText(name, 100),
    octal(0o644, 8),
    octal(0, 8),
    octal(0, 8),
    octal(content.length, 12),
    octal(0, 12),
    fixedText("        ", 8),
    fixedText("0", 1),
    new Uint8Array(100),
    fixedText("ustar", 6),
    fixedText("00", 2),
    new Uint8Array(247),
  );
  const sum = header.reduce((total, byte) => total + byte, 0);
  const sealed = withBytes(header, 148, octal(sum, 7));
  return concatBytes(sealed, padBytes(content, 512, 0), new Uint8Array(1024));
}

/** The error page of a server, saved as firmware. */
export function buildHtmlPage(): Bytes {
  const text =
    "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n";
  return new TextEncoder().encode(text);
}

/** The error answer of a registry, saved as firmware. */
export function buildJsonError(): Bytes {
  const answer = { errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown", detail: {} }] };
  return new TextEncoder().encode(JSON.stringify(answer));
}

/** An MCUboot image: 32-byte header, padding to 0x200, payload, TLV trailer. */
export function buildMcuboot(): Bytes {
  const payload = codeLikeBytes(0x1000, 64);
  const header = concatBytes(
    u32le(0x96f3b83d),
    u32le(0),
    Uint8Array.of(0, 2, 0, 0),
    u32le(payload.length),
    u32le(0),
    Uint8Array.of(1, 2, 3, 0),
  );
  const trailer = concatBytes(
    Uint8Array.of(0x07, 0x69, 40, 0, 0x10, 0, 32, 0),
    sha256(concatBytes(header, payload)),
  );
  return concatBytes(padBytes(header, 0x200, 0), payload, trailer);
}

/** An esp_delta_ota patch: magic, the SHA-256 of the base image, 28 reserved, the patch. */
export function buildDeltaPatch(base: Uint8Array): Bytes {
  return concatBytes(u32le(0xfccdde10), base.subarray(-32), new Uint8Array(28), noiseBytes(900, 65));
}

/** An esp_encrypted_img: 512-byte header with IV at 388, size at 404 and tag at 408, then ciphertext. */
export function buildPreEncrypted(image: Uint8Array): Bytes {
  const header = concatBytes(u32le(0x0788b6cf), noiseBytes(508, 66));
  header.set(u32le(image.length), 404);
  return concatBytes(header, noiseBytes(image.length, 67));
}

/** A compressed update of bootloader_support_plus, type 1: its own header of version `version`, then xz. */
export function buildCompressedOta(version: 1 | 2 | 3 = 2): Bytes {
  const packed = buildXz();
  const length = { 1: 80, 2: 88, 3: 40 }[version];
  const header = fixedText("ESP", length);
  header.set([version, 1], 4);
  header.set(u32le(packed.length), 8);
  header.set(createHash("md5").update(packed).digest().subarray(0, Math.min(16, length - 20)), 16);
  header.set(u32le(crc32(header.subarray(0, length - 4))), length - 4);
  return concatBytes(header, packed);
}

/** Type 2: the first 0x120 bytes of the application with no segments, then the header of type 1. */
export function buildCompressedOtaType2(chip: EspChip): Bytes {
  const head = buildEspApp({ chip }).subarray(0, 0x120);
  return concatBytes(withBytes(head, 1, [0]), buildCompressedOta(2));
}
