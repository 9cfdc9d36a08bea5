import { type Chip, chipOfId } from "./chip.ts";
import type { ImageFacts } from "./image_inspection.ts";
import type { ImagePolicy, ImageRefusal, ImageWarning } from "./image_policy.ts";
import { canCheck, type SecureBootSignature } from "./secure_boot.ts";

/** Hex digits of the half of a key digest that esp32c2 stores. */
const halfDigest = 32;

/**
 * What the signatures of an image, or their absence, mean under a policy. Only those that the chip's bootloader can
 * check count. Without trusted digests any key will do, so a signature then proves only that one was made; with them
 * one must be verified and of such a key.
 */
export function judgeSignatures(
  facts: ImageFacts | undefined,
  policy: ImagePolicy,
): { readonly refusals: readonly ImageRefusal[]; readonly warnings: readonly ImageWarning[] } {
  const signatures = facts?.signatures ?? [];
  const mustBeTrusted = policy.trustedKeyDigests.length > 0;
  const isWanted = policy.requireSecureBootSignature || mustBeTrusted;
  // a v1 signature that no given key explains is another key's, as far as can be known
  const corrupt = signatures.filter(({ valid, scheme }) => valid === false && scheme !== "v1");
  const refusals: ImageRefusal[] = corrupt.map((signature) => ({
    code: "signature-corrupt",
    message: `Cannot send the firmware: ${nameOf(signature)} is not valid, as ${signature.reason}; ` +
      "sign the image again, or fetch it again",
  }));
  const chip = chipOfId(facts?.chip.id ?? -1);
  const isC2 = chip?.name === "esp32c2";
  // a block beyond those that the bootloader looks at proves nothing to it, nor does a scheme that it does not know
  const seen = signatures.filter(({ block, scheme }) =>
    chip === undefined || (block < chip.signatureBlocks && canCheck(chip, scheme))
  );
  const isTrusted = ({ valid, keyDigest }: SecureBootSignature) =>
    valid === true &&
    policy.trustedKeyDigests.some((digest) =>
      digest === keyDigest || (isC2 && digest === keyDigest?.slice(0, halfDigest))
    );
  const unexplained = signatures.filter(({ valid, scheme }) => valid === false && scheme === "v1");
  if (isWanted && seen.length === 0) refusals.push(missing(signatures, chip));
  else if ((mustBeTrusted && !seen.some(isTrusted)) || unexplained.length > 0) {
    refusals.push(untrusted(signatures));
  }
  const warnings: ImageWarning[] = signatures.filter(({ valid }) => valid === "not verifiable").map((
    signature,
  ) => ({
    code: "signature-unverified",
    message: `${capitalise(nameOf(signature))} was not verified: ${signature.reason}`,
  }));
  if (signatures.length === 0 && !isWanted) {
    const message = "The image is not signed; a device with Secure Boot refuses it";
    warnings.push({ code: "unsigned", message });
  }
  return { refusals, warnings };
}

function missing(signatures: readonly SecureBootSignature[], chip: Chip | undefined): ImageRefusal {
  const found = signatures.length === 0
    ? "it carries no Secure Boot signature"
    : `it carries no Secure Boot signature that ${chip?.name} can check`;
  const message = `Cannot send the firmware: ${found}, but one is required; ` +
    "sign it with espsecure, in a scheme of its chip, and push it again";
  return { code: "signature-missing", message };
}

function untrusted(signatures: readonly SecureBootSignature[]): ImageRefusal {
  const digests = signatures.flatMap(({ keyDigest }) => keyDigest === undefined ? [] : [keyDigest]);
  const found = digests.length === 0
    ? "the key that signed it cannot be told"
    : `it is signed with the key ${digests.join(", ")}`;
  const message = `Cannot send the firmware: ${found}, and no trusted key is proven to have signed it; ` +
    "sign it with a trusted key, or trust that one";
  return { code: "signature-untrusted", message };
}

function nameOf({ scheme, block }: SecureBootSignature): string {
  return scheme === "v1" ? "the Secure Boot v1 signature" : `the Secure Boot signature in block ${block}`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
