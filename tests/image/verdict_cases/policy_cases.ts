import type { ImagePolicy, ImageRefusalCode, ImageWarningCode } from "../../../src/image/image_policy.ts";
import { type Bytes, codeLikeBytes, withBytes, withFlip } from "../../builders/esp_bytes.ts";
import { ESP_CHIPS } from "../../builders/esp_chips.ts";
import {
  appDescriptor,
  assembleEspImage,
  buildEspApp,
  type EspHeaderOptions,
} from "../../builders/esp_image.ts";
import { type SecureBootKey, secureBootKey, signV2 } from "../../builders/esp_secure_boot.ts";
import { espLayout } from "../../builders/esp_layout.ts";

/** One file under one policy. */
export interface PolicyCase {
  /** Names the case in the output of a test run. */
  readonly name: string;
  /** Makes the file. */
  readonly file: () => Bytes;
  /** What differs from a policy that asks for nothing and a device of the chip esp32s3. */
  readonly policy?: () => Partial<ImagePolicy>;
  /** Keys given to verify version 1 signatures with. */
  readonly keys?: () => readonly SecureBootKey[];
  /** Codes of all refusals, in order. */
  readonly refusals: readonly ImageRefusalCode[];
  /** Codes of the refusals that were overridden; none unless given. */
  readonly overridden?: readonly ImageRefusalCode[];
  /** Codes of warnings that must be there. */
  readonly warnings?: readonly ImageWarningCode[];
  /** Codes of warnings that must not be there. */
  readonly silent?: readonly ImageWarningCode[];
}

const signed = () => signV2(buildEspApp(), secureBootKey("rsa3072"));
const corrupted = () => withFlip(buildEspApp(), 2900);
const resealed = () => withFlip(buildEspApp(), 16);

/** What is refused and what is warned of, policy by policy. */
export const policyCases: PolicyCase[] = [
  { name: "nothing asked, nothing wrong", file: () => buildEspApp(), refusals: [], warnings: ["unsigned"] },
  {
    name: "hash absent",
    file: () => buildEspApp({ hashAppended: false }),
    refusals: [],
    warnings: ["unverified"],
  },
  { name: "truncated", file: () => buildEspApp().slice(0, 2000), refusals: ["truncated"] },
  { name: "checksum wrong", file: corrupted, refusals: ["checksum", "sha256"] },
  { name: "SHA-256 wrong", file: resealed, refusals: ["sha256"] },
  { name: "one segment too many", file: () => withBytes(buildEspApp(), 1, [17]), refusals: ["malformed"] },
  {
    name: "wrong chip is told before what the SHA-256 says",
    file: () => withFlip(buildEspApp({ chip: "esp32c3" }), 16),
    refusals: ["wrong-chip", "sha256"],
  },
  { name: "unknown chip", file: () => buildEspApp({ chipId: 0x77 }), refusals: ["wrong-chip"] },
  {
    name: "pre-production chip id of the same family",
    file: () => buildEspApp({ chipId: 4 }),
    refusals: ["wrong-chip"],
  },
  {
    name: "chip id that agrees in its low byte only",
    file: () => buildEspApp({ chipId: 0x109 }),
    refusals: ["wrong-chip"],
  },
  {
    name: "no segment in the flash mapping, and no SHA-256 to vouch for the chip id",
    file: () => ramApplication({ hashAppended: false }),
    refusals: ["malformed"],
  },
  {
    name: "no segment in the flash mapping of a chip that is the wrong one as well",
    file: () => ramApplication({ chipId: ESP_CHIPS.esp32.id, hashAppended: false }),
    refusals: ["wrong-chip", "malformed"],
  },
  {
    name: "no segment in the flash mapping, vouched for by a SHA-256",
    file: () => ramApplication({}),
    refusals: ["ram-image"],
  },

  device("memory variant r8 of the chip", { device: "esp32s3r8" }, []),
  device("memory variant in the spelling of a data sheet", { device: "ESP32-S3-N16R8" }, []),
  device("variant and capitals", { device: "ESP32_S3R2" }, []),
  device("another chip's variant", { device: "esp32s2r2" }, ["wrong-chip"]),
  device("a chip whose name begins with this one's", { device: "esp32s31" }, ["wrong-chip"]),
  device("the device reports the chip", { reportedDevice: "esp32s3" }, []),
  device("the device reports a variant", { reportedDevice: "esp32s3r8" }, []),
  device("the device reports another variant", { device: "esp32s3r2", reportedDevice: "esp32s3r8" }, [], [
    "other-variant",
  ]),
  device("the device is no chip that is known", { device: "toaster" }, [], ["unknown-device"]),
  device("the device asked for and the device reported are both another chip", {
    device: "esp32c3",
    reportedDevice: "esp32c3",
  }, ["wrong-chip"]),

  {
    name: "exactly as large as allowed",
    file: () => buildEspApp(),
    policy: () => ({ maxImageSize: 3072 }),
    refusals: [],
  },
  {
    name: "one byte too large",
    file: () => buildEspApp(),
    policy: () => ({ maxImageSize: 3071 }),
    refusals: ["too-large"],
  },
  {
    name: "too large by its signature",
    file: () => signed(),
    policy: () => ({ maxImageSize: 8191 }),
    refusals: ["too-large"],
  },
  {
    name: "larger than a slot of 1 MB",
    file: () => buildEspApp({ size: 0x100000 + 64 }),
    refusals: [],
    warnings: ["slot-size"],
  },
  {
    name: "fits a slot of 1 MB",
    file: () => buildEspApp({ size: 0x100000 }),
    refusals: [],
    silent: ["slot-size"],
  },

  {
    name: "secure_version below the minimum",
    file: () => buildEspApp({ secureVersion: 2 }),
    policy: () => ({ minSecureVersion: 3 }),
    refusals: ["secure-version"],
  },
  {
    name: "secure_version at the minimum",
    file: () => buildEspApp({ secureVersion: 3 }),
    policy: () => ({ minSecureVersion: 3 }),
    refusals: [],
    silent: ["secure-version-unchecked"],
  },
  {
    name: "secure_version with nothing to compare it with",
    file: () => buildEspApp({ secureVersion: 1 }),
    refusals: [],
    warnings: ["secure-version-unchecked"],
  },
  {
    name: "secure_version 0, which any device takes that never burned another",
    file: () => buildEspApp({ secureVersion: 0 }),
    refusals: [],
    silent: ["secure-version-unchecked"],
  },
  {
    name: "secure_version unknown for want of a descriptor",
    file: () => buildEspApp({ secureVersion: 9, descriptorMagic: 0 }),
    policy: () => ({ minSecureVersion: 3 }),
    refusals: ["secure-version"],
  },
  {
    name: "secure_version larger than the eFuse field",
    file: () => buildEspApp({ secureVersion: 17 }),
    refusals: [],
    warnings: ["secure-version-field"],
  },
  {
    name: "revision range",
    file: () => buildEspApp({ minRevision: 2, maxRevision: 99 }),
    refusals: [],
    warnings: ["chip-revision"],
  },
  { name: "no revision range", file: () => buildEspApp(), refusals: [], silent: ["chip-revision"] },

  forced("wrong chip", () => buildEspApp({ chip: "esp32c3" }), ["wrong-chip"]),
  forced("checksum but not SHA-256", corrupted, ["checksum"], ["sha256"]),
  forced("checksum and SHA-256", corrupted, ["checksum", "sha256"]),
  forced("truncated", () => buildEspApp().slice(0, -1), ["truncated"]),
  forced("signature corrupt", () => withFlip(signed(), 5000), ["signature-corrupt"]),
  {
    name: "forced: another code than the one there is",
    file: resealed,
    policy: () => ({ forced: new Set(["wrong-chip"]) }),
    refusals: ["sha256"],
  },
  {
    name: "forced: an override without a cause is no override",
    file: () => buildEspApp(),
    policy: () => ({ forced: new Set(["sha256", "elf"]) }),
    refusals: [],
  },
  {
    name: "hash cut off and its flag cleared",
    file: () => {
      const image = buildEspApp();
      return withBytes(image.slice(0, espLayout(image).digest), 23, [0]);
    },
    refusals: [],
    warnings: ["unverified"],
  },
];

/** An application's descriptor and code, all of it loaded into RAM. */
function ramApplication(options: EspHeaderOptions): Bytes {
  const { id, dram, iram } = ESP_CHIPS.esp32s3;
  const segments = [
    { address: dram, data: appDescriptor() },
    { address: iram, data: codeLikeBytes(0x400, 51) },
  ];
  return assembleEspImage(segments, { chipId: id, entry: iram + 4, ...options });
}

function device(
  name: string,
  policy: Partial<ImagePolicy>,
  ...[refusals, warnings]: [ImageRefusalCode[], ImageWarningCode[]?]
): PolicyCase {
  return {
    name: `device: ${name}`,
    file: () => buildEspApp(),
    policy: () => policy,
    refusals,
    ...warnings === undefined ? { silent: ["unknown-device"] } : { warnings },
  };
}

function forced(
  name: string,
  file: () => Bytes,
  ...[codes, refusals]: [ImageRefusalCode[], ImageRefusalCode[]?]
): PolicyCase {
  return {
    name: `forced: ${name}`,
    file,
    policy: () => ({ forced: new Set(codes) }),
    refusals: refusals ?? [],
    overridden: codes,
  };
}
