import { type Bytes, codeLikeBytes, concatBytes, padBytes, u32le } from "./esp_bytes.ts";
import { type EspSegment, sha256 } from "./esp_image.ts";
import { crc32 } from "./esp_secure_boot.ts";

/** Instruction RAM of the ESP8266. */
const IRAM = 0x40100000;
/** Data RAM of the ESP8266. */
const DRAM = 0x3ffe8000;

/** ESP8266 version 1: an 8-byte header, so the first segment header stands at 8. */
export function buildEsp8266V1(): Bytes {
  return shortImage([
    { address: IRAM, data: codeLikeBytes(0x400, 51) },
    { address: DRAM, data: codeLikeBytes(0x100, 52) },
  ]);
}

/** ESP8266 version 2 (OTA boot): 0xEA 0x04, the flash segment, then a version 1 image and a CRC-32. */
export function buildEsp8266V2(): Bytes {
  const flash = codeLikeBytes(0x800, 53);
  const image = concatBytes(
    Uint8Array.of(0xea, 4, 0, 0x40),
    u32le(IRAM + 4),
    u32le(0),
    u32le(flash.length),
    flash,
    buildEsp8266V1(),
  );
  const crc = crc32(image);
  return concatBytes(image, u32le(crc & 0x80000000 ? ~crc : crc + 1));
}

/** ESP8266 version 3 (RTOS SDK): like version 1, mapped flash first, and a SHA-256 at the end. */
export function buildEsp8266V3(): Bytes {
  const image = shortImage([
    { address: 0x40210010, data: codeLikeBytes(0x600, 54) },
    { address: IRAM, data: codeLikeBytes(0x300, 55) },
  ]);
  return concatBytes(image, sha256(image));
}

/** What the Arduino core writes: eboot in the first sector, a second image at 0x1000. */
export function buildEsp8266Eboot(): Bytes {
  const eboot = shortImage([{ address: 0x4010f000, data: codeLikeBytes(0x200, 56) }]);
  return concatBytes(padBytes(eboot, 0x1000), buildEsp8266V1());
}

function shortImage(segments: readonly EspSegment[]): Bytes {
  const parts: Uint8Array[] = [Uint8Array.of(0xe9, segments.length, 0, 0x40), u32le(IRAM + 4)];
  let checksum = 0xef;
  for (const { address, data } of segments) {
    parts.push(u32le(address), u32le(data.length), data);
    for (const byte of data) checksum ^= byte;
  }
  const end = parts.reduce((sum, part) => sum + part.length, 0);
  return concatBytes(...parts, new Uint8Array(15 - end % 16), Uint8Array.of(checksum));
}
