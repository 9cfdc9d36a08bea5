import * as v from "valibot";
import type { Claim } from "./claim.ts";
import { SignatureError } from "./signature_error.ts";
import { annotationTexts, readSignedJson } from "./signed_json.ts";

/** Payload type of a DSSE envelope that holds an in-toto statement. */
export const IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** What `cosign sign` states. Statements of other types (provenance, SBOM, scans) are not signatures. */
export const SIGN_PREDICATE_TYPE = "https://sigstore.dev/cosign/sign/v1";

/** Comes first: what follows it in a statement of another type is not ours to judge. */
const Typed = v.object({ predicateType: v.string() });

const Statement = v.object({
  _type: v.pipe(v.string(), v.regex(/^https:\/\/in-toto\.io\/Statement\/v(0\.1|1)$/)),
  subject: v.pipe(
    v.array(v.object({
      digest: v.record(v.string(), v.string()),
      annotations: v.optional(v.record(v.string(), v.unknown())),
    })),
    v.maxLength(100), // as many as signatures of one image
  ),
});

/**
 * What a statement of `cosign sign` states, or `undefined` when it is a statement of another type
 * (github.com/in-toto/attestation spec/v1/statement.md).
 *
 * Throws {@linkcode SignatureError} `altered-payload` when it is no statement at all.
 */
export function statementClaim(payload: Uint8Array): Claim | undefined {
  // Trust boundary: the statement is the registry's; it means something only after its signature is verified.
  const json = readSignedJson(payload);
  if (parse(Typed, json).predicateType !== SIGN_PREDICATE_TYPE) return undefined;
  return {
    subjects: parse(Statement, json).subject.flatMap(({ digest, annotations }) =>
      Object.entries(digest).map(([algorithm, hex]) => ({
        digest: `${algorithm}:${hex}`,
        annotations: annotationTexts(annotations),
      }))
    ),
  };
}

function parse<Output>(schema: v.GenericSchema<unknown, Output>, json: unknown): Output {
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  throw new SignatureError(
    "altered-payload",
    `Cannot read the signed statement: ${
      v.getDotPath(parsed.issues[0]) ?? "content"
    } is not as in-toto has it`,
  );
}
