import { type Bytes, concatBytes, filledBytes, withBytes, withFlip } from "../../builders/esp_bytes.ts";
import { buildEspApp } from "../../builders/esp_image.ts";
import {
  BLOCK_LENGTH,
  sealBlock,
  secureBootKey,
  signatureSector,
  signedBlock,
  signV1,
  signV2,
} from "../../builders/esp_secure_boot.ts";
import type { VerdictCase, WantedVerdict } from "./verdict_case.ts";

/** Where the signature sector of a small application stands. */
const SECTOR = 4096;
const rsa = () => secureBootKey("rsa3072");
const p256 = () => secureBootKey("p256");
const p384 = () => secureBootKey("p384");

/** Signed applications whose signature or signed content was altered. */
export const damagedSignatures: VerdictCase[] = [
  spoiled("RSA: CRC wrong", rsa, (block) => withFlip(block, 1196), ["v2-rsa false"]),
  spoiled("RSA: magic gone", rsa, (block) => withBytes(block, 0, [0]), ["v2-rsa false"]),
  spoiled("RSA: unknown version", rsa, (block) => sealBlock(withBytes(block, 1, [9])), ["unknown false"]),
  spoiled("RSA: modulus flipped, CRC right", rsa, (block) => sealBlock(withFlip(block, 100)), [
    "v2-rsa false",
  ]),
  spoiled("RSA: exponent 3, CRC right", rsa, (block) => sealBlock(withBytes(block, 420, [3, 0, 0])), [
    "v2-rsa false",
  ]),
  spoiled("RSA: R flipped, CRC right", rsa, (block) => sealBlock(withFlip(block, 500)), ["v2-rsa false"]),
  spoiled("RSA: M' flipped, CRC right", rsa, (block) => sealBlock(withFlip(block, 808)), ["v2-rsa false"]),
  spoiled("RSA: signature flipped, CRC right", rsa, (block) => sealBlock(withFlip(block, 900)), [
    "v2-rsa false",
  ]),
  spoiled("RSA: stored digest flipped, CRC right", rsa, (block) => sealBlock(withFlip(block, 4)), [
    "v2-rsa false",
  ]),
  spoiled(
    "RSA: modulus zero, CRC right",
    rsa,
    (block) => sealBlock(withBytes(block, 36, filledBytes(384, 0))),
    [
      "v2-rsa false",
    ],
  ),
  spoiled(
    "RSA: everything 0xFF, CRC right",
    rsa,
    (block) => sealBlock(withBytes(block, 4, filledBytes(1192, 0xff))),
    [
      "v2-rsa false",
    ],
  ),
  spoiled(
    "P-256: signature zero, CRC right",
    p256,
    (block) => sealBlock(withBytes(block, 101, filledBytes(64, 0))),
    [
      "v2-ecdsa-p256 false",
    ],
  ),
  spoiled("P-256: key not on the curve, CRC right", p256, (block) => sealBlock(withFlip(block, 40)), [
    "v2-ecdsa-p256 false",
  ]),
  spoiled(
    "P-256: key zero, CRC right",
    p256,
    (block) => sealBlock(withBytes(block, 37, filledBytes(64, 0))),
    [
      "v2-ecdsa-p256 false",
    ],
  ),
  spoiled("P-256: signature flipped, CRC right", p256, (block) => sealBlock(withFlip(block, 110)), [
    "v2-ecdsa-p256 false",
  ]),
  spoiled("P-256: unknown curve, CRC right", p256, (block) => sealBlock(withBytes(block, 36, [7])), [
    "unknown false",
  ]),
  spoiled("P-256: curve of P-384, CRC right", p256, (block) => sealBlock(withBytes(block, 36, [3])), [
    "unknown false",
  ]),
  spoiled("P-256: CRC wrong", p256, (block) => withFlip(block, 50), ["v2-ecdsa-p256 false"]),
  spoiled("P-384: signature flipped, CRC right", p384, (block) => sealBlock(withFlip(block, 150)), [
    "v2-ecdsa-p384 false",
  ]),
  spoiled("P-384: stored digest flipped, CRC right", p384, (block) => sealBlock(withFlip(block, 40)), [
    "v2-ecdsa-p384 false",
  ]),
  spoiled("RSA: trailing zeros set, which nothing covers", rsa, (block) => withFlip(block, 1210), [
    "v2-rsa true",
  ]),
  signedThen("code altered after signing", (file) => withFlip(file, 2900), {
    integrity: "corrupt",
    signatures: ["v2-rsa false"],
  }),
  signedThen("padding altered after signing", (file) => withFlip(file, 4000), {
    integrity: "intact",
    signatures: ["v2-rsa false"],
  }),
  signedThen("hash flag cleared after signing", (file) => withBytes(file, 23, [0]), {
    integrity: "unverified",
    signatures: ["v2-rsa false"],
  }),
  signedThen("block of another image", (file) => {
    const other = signV2(buildEspApp({ seed: 99 }), rsa());
    return concatBytes(file.slice(0, SECTOR), other.slice(SECTOR));
  }, { integrity: "intact", signatures: ["v2-rsa false"] }),
  signedThen("cut in the padding before the sector", (file) => file.slice(0, 3500), {
    integrity: "intact",
    signatures: [],
  }),
  signedThen("cut before the sector", (file) => file.slice(0, SECTOR), {
    integrity: "intact",
    signatures: [],
  }),
  signedThen("cut in the first block", (file) => file.slice(0, SECTOR + 500), {
    integrity: "truncated",
    where: "signature",
  }),
  signedThen("cut in the erased rest of the sector", (file) => file.slice(0, SECTOR + 2000), {
    integrity: "truncated",
    where: "signature",
  }),
  signedThen("one byte short", (file) => file.slice(0, -1), {
    integrity: "truncated",
    where: "signature",
    missing: 1,
  }),
  {
    name: "second block corrupt, the first still good",
    file: () => {
      const file = signV2(buildEspApp(), rsa(), secureBootKey("rsa3072", "second"));
      return withFlip(file, SECTOR + BLOCK_LENGTH + 900);
    },
    want: { kind: "application", signatures: ["v2-rsa true", "v2-rsa false"] },
  },
  {
    name: "first block corrupt, the second still good",
    file: () => withFlip(signV2(buildEspApp(), rsa(), secureBootKey("rsa3072", "second")), SECTOR + 900),
    want: { kind: "application", signatures: ["v2-rsa false", "v2-rsa true"] },
  },
  {
    name: "first block erased, the second still good",
    file: () => {
      const file = signV2(buildEspApp(), rsa(), secureBootKey("rsa3072", "second"));
      return withBytes(file, SECTOR, filledBytes(BLOCK_LENGTH, 0xff));
    },
    // A device takes blocks one after another and stops at the first place that holds none.
    want: { kind: "application", signatures: [] },
  },
  {
    name: "signed over the plain image, without its padding",
    file: () => {
      const image = buildEspApp();
      const block = signedBlock(image, rsa());
      return concatBytes(image, filledBytes(SECTOR - image.length, 0xff), signatureSector(block));
    },
    want: { kind: "application", integrity: "intact", signatures: ["v2-rsa false"] },
  },
  {
    name: "v1 signature cut short",
    file: () => signV1(buildEspApp({ chip: "esp32" }), p256()).slice(0, -4),
    want: { kind: "application", integrity: "truncated", where: "signature", missing: 4 },
  },
  {
    name: "the same bytes after an image for a chip without v1",
    file: () => signV1(buildEspApp({ chip: "esp32s3" }), p256()).slice(0, -4),
    want: { kind: "application", integrity: "intact", signatures: [], findings: ["warn trailing-data"] },
  },
];

/** The block of one key spoiled, the application before it as it was. */
function spoiled(
  name: string,
  key: () => ReturnType<typeof secureBootKey>,
  ...[spoil, signatures]: [(block: Bytes) => Bytes, string[]]
): VerdictCase {
  const file = () => {
    const signed = signV2(buildEspApp({ chip: "esp32p4" }), key());
    const block = spoil(signed.slice(SECTOR, SECTOR + BLOCK_LENGTH));
    return withBytes(signed, SECTOR, block);
  };
  return {
    name: `signature block, ${name}`,
    file,
    want: { kind: "application", integrity: "intact", signatures },
  };
}

/** A signed application spoiled. */
function signedThen(
  name: string,
  spoil: (file: Bytes) => Bytes,
  want: Omit<WantedVerdict, "kind">,
): VerdictCase {
  return {
    name: `signed, then ${name}`,
    file: () => spoil(signV2(buildEspApp(), rsa())),
    want: { kind: "application", ...want },
  };
}
