import type { SignatureFlags } from "../signature/signature_rule.ts";
import { DEFAULT, type Faults, parseChoice, type Settings } from "./option.ts";

/**
 * Reads who must have signed the image; files and rules are read by the signature room when they are needed.
 * A mode that is none of the three is a fault, added to `faults`: it must not pass for `auto`. One that nobody gave
 * is left out: flags stand over the policy file, and a default must not take back what the file requires.
 */
export function readSignatureFlags(settings: Settings, faults: Faults): SignatureFlags {
  const mode = settings.find("verify-signature");
  const texts = {
    mode: mode?.from === DEFAULT ? undefined : faults.collect(mode, parseChoice(["off", "auto", "require"])),
    policyFile: settings.text("signature-policy"),
    identity: settings.text("certificate-identity"),
    identityRegexp: settings.text("certificate-identity-regexp"),
    issuer: settings.text("certificate-oidc-issuer"),
    issuerRegexp: settings.text("certificate-oidc-issuer-regexp"),
    trustedRoot: settings.text("trusted-root"),
  };
  const lists = {
    keys: settings.list("cosign-key"),
    annotations: settings.list("signature-annotation"),
    signedAs: settings.list("signed-as"),
  };
  return Object.fromEntries([
    ...Object.entries(texts).filter(([, value]) => value !== undefined),
    ...Object.entries(lists).filter(([, given]) => given.length > 0)
      .map(([name, given]) => [name, given.map((setting) => setting.value)]),
  ]);
}
