import { concatBytes, filledBytes, padBytes } from "../../builders/esp_bytes.ts";
import { ESP_CHIP_NAMES, type EspChip } from "../../builders/esp_chips.ts";
import { buildEspApp } from "../../builders/esp_image.ts";
import {
  p192ShapedBlock,
  secureBootKey,
  securePaddedApp,
  signatureSector,
  signV1,
  signV2,
} from "../../builders/esp_secure_boot.ts";
import { buildPaddedUnsigned } from "../../builders/esp_flash_files.ts";
import type { VerdictCase } from "./verdict_case.ts";

/** Chips known to check a scheme, and some known not to; the previews are left out where nothing is known. */
const SUPPORT: Partial<Record<EspChip, { rsa: boolean; p256: boolean; p384: boolean }>> = {
  esp32: { rsa: true, p256: false, p384: false },
  esp32s2: { rsa: true, p256: false, p384: false },
  esp32s3: { rsa: true, p256: false, p384: false },
  esp32c3: { rsa: true, p256: false, p384: false },
  esp32c2: { rsa: false, p256: true, p384: false },
  esp32c6: { rsa: true, p256: true, p384: false },
  esp32h2: { rsa: true, p256: true, p384: false },
  esp32c61: { rsa: false, p256: true, p384: false },
  esp32c5: { rsa: true, p256: true, p384: true },
  esp32p4: { rsa: true, p256: true, p384: true },
};

/** Valid applications of every chip: plain, without hash, signed in every way. */
export const validImages: VerdictCase[] = [
  ...ESP_CHIP_NAMES.flatMap(ofEveryChip),
  {
    name: "esp32: signed v1, key not given",
    file: () => signV1(buildEspApp({ chip: "esp32" }), secureBootKey("p256")),
    want: {
      kind: "application",
      integrity: "intact",
      signatures: ["v1 not verifiable"],
      fullLength: 3072 + 68,
      absent: ["unsupported-scheme"],
    },
  },
  {
    name: "esp32s3: signed v1, which it cannot check",
    file: () => signV1(buildEspApp(), secureBootKey("p256")),
    want: {
      kind: "application",
      integrity: "intact",
      signatures: ["v1 not verifiable"],
      findings: ["warn unsupported-scheme"],
    },
  },
  {
    name: "esp32: signed v1, secure-padded to 64 KiB with 12 spare bytes",
    file: () => signV1(securePaddedApp({ chip: "esp32" }, 1), secureBootKey("p256"), 12),
    want: {
      kind: "application",
      integrity: "intact",
      signatures: ["v1 not verifiable"],
      fullLength: 0x10000 - 12,
      absent: ["trailing-data"],
    },
  },
  {
    name: "esp32s3: secure-padded to 64 KiB, its signature right after the image",
    file: () => signV2(securePaddedApp({ chip: "esp32s3" }, 2), secureBootKey("rsa3072")),
    want: {
      kind: "application",
      integrity: "intact",
      signatures: ["v2-rsa true"],
      fullLength: 0x10000 + 4096,
      absent: ["trailing-data"],
    },
  },
  {
    name: "esp32: three blocks, of which its bootloader reads one",
    file: () => signV2(buildEspApp({ chip: "esp32" }), ...threeKeys()),
    want: {
      kind: "application",
      signatures: ["v2-rsa true", "v2-rsa true", "v2-rsa true"],
      findings: ["warn ignored-blocks"],
    },
  },
  {
    name: "esp32s3: three blocks, all of which its bootloader reads",
    file: () => signV2(buildEspApp({ chip: "esp32s3" }), ...threeKeys()),
    want: {
      kind: "application",
      signatures: ["v2-rsa true", "v2-rsa true", "v2-rsa true"],
      absent: ["ignored-blocks"],
    },
  },
  {
    name: "esp32c6: two blocks of ECDSA P-256",
    file: () =>
      signV2(buildEspApp({ chip: "esp32c6" }), secureBootKey("p256"), secureBootKey("p256", "second")),
    want: { kind: "application", signatures: ["v2-ecdsa-p256 true", "v2-ecdsa-p256 true"] },
  },
  {
    name: "esp32c6: a block shaped as ECDSA P-192",
    file: () => {
      const image = padBytes(buildEspApp({ chip: "esp32c6" }), 4096);
      return concatBytes(image, signatureSector(p192ShapedBlock(image)));
    },
    want: { kind: "application", integrity: "intact", signatures: ["v2-ecdsa-p192 not verifiable"] },
  },
  {
    name: "esp32s3: signed without a hash, so the signature alone vouches for it",
    file: () => signV2(buildEspApp({ hashAppended: false }), secureBootKey("rsa3072")),
    want: { kind: "application", signatures: ["v2-rsa true"] },
  },
  {
    name: "esp32s3: data after the signature sector",
    file: () => concatBytes(signV2(buildEspApp(), secureBootKey("rsa3072")), filledBytes(100, 0x41)),
    want: { kind: "application", signatures: ["v2-rsa true"], fullLength: 8192 },
  },
  {
    name: "esp32s3: padded for signing but not signed",
    file: () => buildPaddedUnsigned("esp32s3"),
    want: {
      kind: "application",
      integrity: "intact",
      signatures: [],
      findings: ["warn padded-not-signed"],
    },
  },
  {
    name: "esp32s3: data after the image that is no signature",
    file: () => concatBytes(buildEspApp(), filledBytes(12, 0x41)),
    want: { kind: "application", integrity: "intact", signatures: [], fullLength: 3072 },
  },
  {
    name: "esp32s3: 1 MiB in the layout of esptool, with a padding segment",
    file: () => buildEspApp({ size: 1 << 20 }),
    want: {
      kind: "application",
      integrity: "intact",
      absent: ["misaligned-segment", "overlapping-segments"],
    },
  },
];

function ofEveryChip(chip: EspChip): VerdictCase[] {
  const support = SUPPORT[chip];
  const signed = (name: "rsa3072" | "p256" | "p384", scheme: string, supported?: boolean): VerdictCase => ({
    name: `${chip}: signed v2 with ${name}`,
    file: () => signV2(buildEspApp({ chip }), secureBootKey(name)),
    want: {
      kind: "application",
      chip,
      integrity: "intact",
      signatures: [`${scheme} true`],
      fullLength: 8192,
      ...supported === false ? { findings: ["warn unsupported-scheme"] } : {},
      ...supported === true ? { absent: ["unsupported-scheme"] } : {},
    },
  });
  return [
    {
      name: `${chip}: plain`,
      file: () => buildEspApp({ chip }),
      want: {
        kind: "application",
        chip,
        integrity: "intact",
        signatures: [],
        fullLength: 3072,
        absent: ["misaligned-segment", "overlapping-segments", "entry-address", "no-descriptor", "pad-bytes"],
      },
    },
    {
      name: `${chip}: hash absent`,
      file: () => buildEspApp({ chip, hashAppended: false }),
      want: { kind: "application", chip, integrity: "unverified", signatures: [] },
    },
    signed("rsa3072", "v2-rsa", support?.rsa),
    signed("p256", "v2-ecdsa-p256", support?.p256),
    signed("p384", "v2-ecdsa-p384", support?.p384),
  ];
}

function threeKeys() {
  return [secureBootKey("rsa3072"), secureBootKey("rsa3072", "second"), secureBootKey("rsa3072", "third")];
}
