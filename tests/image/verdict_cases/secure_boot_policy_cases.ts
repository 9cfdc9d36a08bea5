import type { ImageRefusalCode, ImageWarningCode } from "../../../src/image/image_policy.ts";
import { type Bytes, concatBytes, padBytes, withFlip } from "../../builders/esp_bytes.ts";
import { buildEspApp } from "../../builders/esp_image.ts";
import {
  keyDigest,
  p192ShapedBlock,
  publicNumbers,
  secureBootKey,
  signatureSector,
  signV1,
  signV2,
} from "../../builders/esp_secure_boot.ts";
import type { PolicyCase } from "./policy_cases.ts";

const rsa = (label = "first") => secureBootKey("rsa3072", label);
const signed = (...labels: string[]) => signV2(buildEspApp(), ...labels.map(rsa));

/** What a signature, or its absence, means under a policy. */
export const secureBootPolicyCases: PolicyCase[] = [
  signature("missing though required", () => buildEspApp(), { required: true }, ["signature-missing"]),
  signature("present as required", () => signed("first"), { required: true }, []),
  signature("padded for signing and required", () => padBytes(buildEspApp(), 0x8000), { required: true }, [
    "signature-missing",
  ]),
  signature("missing though a key is trusted", () => buildEspApp(), { trusted: ["first"] }, [
    "signature-missing",
  ]),
  signature("of the trusted key", () => signed("first"), { trusted: ["first"] }, []),
  signature("of another key", () => signed("second"), { trusted: ["first"] }, ["signature-untrusted"]),
  signature("of one of two trusted keys", () => signed("second"), { trusted: ["first", "second"] }, []),
  signature("third block of the trusted key", () => signed("second", "third", "first"), {
    trusted: ["first"],
  }, []),
  signature("none of three blocks of the trusted key", () => signed("second", "third"), {
    trusted: ["first"],
  }, [
    "signature-untrusted",
  ]),
  signature(
    "esp32: trusted key in a block that its bootloader does not read",
    () => signV2(buildEspApp({ chip: "esp32" }), rsa("second"), rsa("first")),
    { trusted: ["first"], device: "esp32" },
    ["signature-untrusted"],
  ),
  signature("content altered", () => withFlip(signed("first"), 4000), {}, ["signature-corrupt"]),
  signature("content altered, trusted key", () => withFlip(signed("first"), 4000), { trusted: ["first"] }, [
    "signature-corrupt",
    "signature-untrusted",
  ]),
  signature("block altered", () => withFlip(signed("first"), 5000), {}, ["signature-corrupt"]),
  signature("block altered and required", () => withFlip(signed("first"), 5000), { required: true }, [
    "signature-corrupt",
  ]),
  signature(
    "of the trusted key, copied from another image",
    () => {
      const other = signV2(buildEspApp({ seed: 7 }), rsa());
      return concatBytes(padBytes(buildEspApp(), 4096), other.slice(4096));
    },
    { trusted: ["first"] },
    ["signature-corrupt", "signature-untrusted"],
  ),
  {
    name: "signature: esp32c2 knows the first half of a digest only",
    file: () => signV2(buildEspApp({ chip: "esp32c2" }), secureBootKey("p256")),
    policy: () => ({ device: "esp32c2", trustedKeyDigests: [secureBootKey("p256").digest.slice(0, 32)] }),
    refusals: [],
  },
  {
    name: "signature: half a digest is not enough for another chip",
    file: () => signV2(buildEspApp({ chip: "esp32c6" }), secureBootKey("p256")),
    policy: () => ({ device: "esp32c6", trustedKeyDigests: [secureBootKey("p256").digest.slice(0, 32)] }),
    refusals: ["signature-untrusted"],
  },
  {
    name: "signature: P-384 of the trusted key",
    file: () => signV2(buildEspApp({ chip: "esp32p4" }), secureBootKey("p384")),
    policy: () => ({ device: "esp32p4", trustedKeyDigests: [secureBootKey("p384").digest] }),
    refusals: [],
  },
  {
    name: "signature: P-192, which nobody here can verify, is never one of a trusted key",
    file: () => {
      const image = padBytes(buildEspApp({ chip: "esp32c6" }), 4096);
      return concatBytes(image, signatureSector(p192ShapedBlock(image)));
    },
    policy: () => ({ device: "esp32c6", trustedKeyDigests: [keyDigest(publicNumbers(rsa().publicPem))] }),
    refusals: ["signature-untrusted"],
    warnings: ["signature-unverified"],
  },
  signature(
    "of the trusted key, in a scheme that esp32c2 cannot check",
    () => {
      return signV2(buildEspApp({ chip: "esp32c2" }), rsa());
    },
    { trusted: ["first"], device: "esp32c2" },
    ["signature-missing"],
  ),
  signature(
    "in a scheme that esp32s3 cannot check, though required",
    () => {
      return signV2(buildEspApp(), secureBootKey("p256"));
    },
    { required: true },
    ["signature-missing"],
  ),
  signature(
    "v1 after an image for esp32s3, though required",
    () => {
      return signV1(buildEspApp(), secureBootKey("p256"));
    },
    { required: true },
    ["signature-missing"],
  ),
  signature(
    "64 bytes of anything in the place of a v1 signature, though required",
    () => {
      return concatBytes(buildEspApp(), new Uint8Array(4), buildEspApp({ seed: 3 }).slice(100, 164));
    },
    { required: true },
    ["signature-missing"],
  ),
  {
    name: "signature: v1 of a trusted key after an image for esp32s3",
    file: () => signV1(buildEspApp(), secureBootKey("p256")),
    policy: () => ({ trustedKeyDigests: [secureBootKey("p256").digest] }),
    keys: () => [secureBootKey("p256")],
    refusals: ["signature-missing"],
    warnings: ["unsupported-scheme"],
  },
  versionOne("without a key: its truth is open", [], [], { warnings: ["signature-unverified"] }),
  versionOne("of the key given", ["first"], []),
  versionOne("of the key given and trusted", ["first"], [], { trusted: ["first"] }),
  versionOne("of a trusted digest whose key is not given", [], ["signature-untrusted"], {
    trusted: ["first"],
  }),
  versionOne("of another key than the one given and trusted", ["second"], ["signature-untrusted"], {
    trusted: ["second"],
  }),
];

function signature(
  name: string,
  file: () => Bytes,
  ...[ask, refusals]: [{ required?: boolean; trusted?: string[]; device?: string }, ImageRefusalCode[]]
): PolicyCase {
  const policy = () => ({
    device: ask.device ?? "esp32s3",
    requireSecureBootSignature: ask.required ?? false,
    trustedKeyDigests: (ask.trusted ?? []).map((label) => rsa(label).digest),
  });
  return { name: `signature: ${name}`, file, policy, refusals };
}

function versionOne(
  name: string,
  given: string[],
  ...[refusals, more]: [ImageRefusalCode[], { trusted?: string[]; warnings?: ImageWarningCode[] }?]
): PolicyCase {
  const key = (label: string) => secureBootKey("p256", label);
  return {
    name: `signature: v1 ${name}`,
    file: () => signV1(buildEspApp({ chip: "esp32" }), key("first")),
    policy: () => ({
      device: "esp32",
      trustedKeyDigests: (more?.trusted ?? []).map((label) => key(label).digest),
    }),
    keys: () => given.map(key),
    refusals,
    warnings: more?.warnings ?? [],
  };
}
