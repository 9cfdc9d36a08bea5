import * as v from "valibot";
import type { Claim } from "./claim.ts";
import { SignatureError } from "./signature_error.ts";
import { annotationTexts, readSignedJson } from "./signed_json.ts";

const Payload = v.object({
  critical: v.object({
    identity: v.object({ "docker-reference": v.string() }),
    image: v.object({
      "docker-manifest-digest": v.pipe(v.string(), v.regex(/^sha(256|512):[0-9a-f]{64,128}$/)),
    }),
    type: v.literal("cosign container image signature"),
  }),
  optional: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
});

/**
 * What a payload in the simple signing format states, as cosign writes it
 * (github.com/sigstore/cosign specs/SIGNATURE_SPEC.md).
 *
 * Throws {@linkcode SignatureError} `altered-payload` when it is not one.
 */
export function simpleSigningClaim(payload: Uint8Array): Claim {
  // Trust boundary: the payload is the registry's; it means something only after its signature is verified.
  const parsed = v.safeParse(Payload, readSignedJson(payload));
  if (!parsed.success) {
    throw new SignatureError(
      "altered-payload",
      `Cannot read the signed payload: ${
        v.getDotPath(parsed.issues[0]) ?? "content"
      } is not as cosign writes it`,
    );
  }
  const { critical, optional } = parsed.output;
  return {
    subjects: [{ digest: critical.image["docker-manifest-digest"], annotations: annotationTexts(optional) }],
    reference: critical.identity["docker-reference"],
  };
}
