import { looksRandom } from "./entropy.ts";
import { headerLength, imageMagic } from "./image_header.ts";
import { hasAppMagic } from "./app_descriptor.ts";

/** What a file can be that is not an application image. */
export const mistakenFileKinds = [
  "empty",
  "elf",
  "uf2",
  "intel-hex",
  "archive",
  "text-page",
  "partition-table",
  "delta-patch",
  "encrypted",
  "compressed",
  "mcuboot",
  "esp8266",
  "merged-image",
  "bootloader",
  "ram-image",
  "not-an-image",
] as const;

/** One of {@linkcode mistakenFileKinds}. */
export type MistakenFileKind = (typeof mistakenFileKinds)[number];

/** What a file was recognised as. */
export interface RecognisedFile {
  /** Its kind. */
  readonly what: MistakenFileKind;
  /** What it is and by what this was seen, as a clause that goes on from "it is". */
  readonly found: string;
  /** What to do instead. */
  readonly remedy: string;
}

/** The beginning of a file. */
export interface FileHead {
  /** Its first bytes, up to one window. */
  readonly bytes: Uint8Array;
  /** Bytes of the whole file. */
  readonly size: number;
}

const sendTheApplication = "send the application's .bin file that the build leaves beside it";

/** Files known by their first bytes, in the order in which they are tried. */
const magics: readonly (RecognisedFile & { readonly magic: readonly number[] })[] = [
  {
    magic: [0x7f, 0x45, 0x4c, 0x46],
    what: "elf",
    found: "an ELF file, the input of the image builder",
    remedy: sendTheApplication,
  },
  {
    magic: [0x55, 0x46, 0x32, 0x0a, 0x57, 0x51, 0x5d, 0x9e],
    what: "uf2",
    found: "a UF2 file, made for a USB drive bootloader",
    remedy: sendTheApplication,
  },
  archive("a ZIP archive", [0x50, 0x4b]),
  archive("gzip-compressed", [0x1f, 0x8b]),
  archive("xz-compressed", [0xfd, 0x37, 0x7a, 0x58, 0x5a]),
  archive("bzip2-compressed", [0x42, 0x5a, 0x68]),
  archive("zstd-compressed", [0x28, 0xb5, 0x2f, 0xfd]),
  archive("a 7z archive", [0x37, 0x7a, 0xbc, 0xaf]),
  { magic: [0xaa, 0x50], what: "partition-table", found: "a partition table", remedy: sendTheApplication },
  {
    magic: [0x10, 0xde, 0xcd, 0xfc],
    what: "delta-patch",
    found: "an esp_delta_ota patch",
    remedy: "send the whole new application: a patch only fits one exact old image",
  },
  {
    magic: [0xcf, 0xb6, 0x88, 0x07],
    what: "encrypted",
    found: "a pre-encrypted image of esp_encrypted_img",
    remedy: "send the plain application, unless the device decrypts such images itself",
  },
  {
    magic: [0x45, 0x53, 0x50, 0x00],
    what: "compressed",
    found: "a compressed image of bootloader_support_plus",
    remedy: "send the plain application, unless the device's bootloader unpacks such images",
  },
  {
    magic: [0x3d, 0xb8, 0xf3, 0x96],
    what: "mcuboot",
    found: "an MCUboot image, as Zephyr makes them",
    remedy: "send an image built for the ESP-IDF bootloader, unless the device boots with MCUboot",
  },
  {
    magic: [0xea, 0x04],
    what: "esp8266",
    found: "an image for ESP8266, whose format is another one",
    remedy: "send an application built for this device's chip",
  },
];

function archive(found: string, magic: readonly number[]): RecognisedFile & { magic: readonly number[] } {
  return { magic, what: "archive", found, remedy: "unpack it and send the application in it" };
}

/** Where RTOS and Arduino images for ESP8266 load their first segment. */
const esp8266Addresses = { first: 0x3ffe_8000, last: 0x402f_ffff };
const compressedMagic = 0x0050_5345;
const compressedMagicOffset = 0x120;
/** `ota_data_initial.bin`, two sectors of erased flash. */
const otaDataLength = 0x2000;

/** Recognises what is clear from the first bytes. Nothing is returned for an image and for what is left over. */
export function recogniseHead(head: FileHead): RecognisedFile | undefined {
  const { bytes } = head;
  const nothing = recogniseNothing(head);
  if (nothing !== undefined) return nothing;
  const known = magics.find(({ magic }) => magic.every((byte, index) => bytes[index] === byte));
  if (known !== undefined) return { what: known.what, found: known.found, remedy: known.remedy };
  return recogniseText(bytes) ?? recogniseRelative(bytes);
}

/** Names a file that no test has recognised. */
export function recogniseRest(head: FileHead): RecognisedFile {
  const { bytes } = head;
  const first = `0x${(bytes[0] ?? 0).toString(16).padStart(2, "0")}`;
  if (hasAppMagic(bytes)) {
    return {
      what: "not-an-image",
      found: `an application image whose first byte is ${first} instead of 0xe9`,
      remedy: "build or fetch it again: it was damaged or altered",
    };
  }
  return recogniseEncrypted(head) ?? {
    what: "not-an-image",
    found: `unknown, its first byte is ${first} instead of 0xe9`,
    remedy: "send an application's .bin file",
  };
}

/** Recognises encrypted bytes by their looking random and coming in blocks of 16. */
export function recogniseEncrypted({ bytes, size }: FileHead): RecognisedFile | undefined {
  if (size % 16 !== 0 || !looksRandom(bytes)) return undefined;
  return {
    what: "encrypted",
    found: "encrypted, by its random look, perhaps a dump of encrypted flash",
    remedy: "send the plain application: the device encrypts what it writes",
  };
}

function recogniseNothing({ bytes, size }: FileHead): RecognisedFile | undefined {
  const remedy = "build or fetch it again and send the application's .bin file";
  const say = (found: string): RecognisedFile => ({ what: "empty", found, remedy });
  if (size === 0) return say("empty");
  if (bytes.every((byte) => byte === 0xff)) {
    return say(
      size === otaDataLength ? "erased OTA data (ota_data_initial.bin)" : "erased flash, all 0xff",
    );
  }
  if (bytes.every((byte) => byte === 0)) return say("nothing but zeros");
  if (size >= headerLength) return undefined;
  const begins = bytes[0] === imageMagic ? "the beginning of an image, cut in its header" : "too short";
  const found = `${begins}: ${size} bytes, where the header alone has ${headerLength}`;
  return { what: "not-an-image", found, remedy };
}

function recogniseText(bytes: Uint8Array): RecognisedFile | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 512));
  if (/^:[0-9A-Fa-f]{10}/.test(start)) {
    return { what: "intel-hex", found: "an Intel HEX file", remedy: sendTheApplication };
  }
  if (start.slice(257, 262) === "ustar") {
    return {
      what: "archive",
      found: "a tar archive, perhaps a layer of the OCI image",
      remedy: "unpack it and send the application in it",
    };
  }
  const text = start.replace(/^\xef\xbb\xbf/, "").trimStart();
  const remedy = "look at its text: the download probably answered with an error page";
  if (text.startsWith("<")) return { what: "text-page", found: "an HTML or XML page", remedy };
  if (/^[{[]/.test(text)) return { what: "text-page", found: "a JSON text", remedy };
  return /^[\t\n\r\x20-\x7e]+$/.test(start) ? { what: "text-page", found: "a text", remedy } : undefined;
}

/** Relatives of the format that begin with its magic too. */
function recogniseRelative(bytes: Uint8Array): RecognisedFile | undefined {
  if (bytes[0] !== imageMagic) return undefined;
  const word = numberAt(bytes, 8);
  if (word >= esp8266Addresses.first && word <= esp8266Addresses.last) {
    return {
      what: "esp8266",
      found: "an image for ESP8266, whose header has 8 bytes",
      remedy: "send an application built for this device's chip",
    };
  }
  if (bytes[1] !== 0) return undefined;
  if (numberAt(bytes, compressedMagicOffset) === compressedMagic) {
    return {
      what: "compressed",
      found: "a compressed image of bootloader_support_plus behind a copied header",
      remedy: "send the plain application, unless the device's bootloader unpacks such images",
    };
  }
  return {
    what: "not-an-image",
    found: "a header of an image that announces no segments",
    remedy: "build or fetch it again: it was damaged or altered",
  };
}

function numberAt(bytes: Uint8Array, offset: number): number {
  if (bytes.length < offset + 4) return -1;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}
