import crypto from "node:crypto";
import { type CertificateSigner, checkSigner, verifyCertified } from "./certificate_signer.ts";
import { checkClaim, type ClaimDemand } from "./claim.ts";
import { findSignatures } from "./find_signatures.ts";
import { nearestRefusal, quoted, SignatureError, type SignatureErrorCode } from "./signature_error.ts";
import { canVerify, demandTrust, type SignaturePolicy } from "./signature_policy.ts";
import type { SignatureSource } from "./signature_source.ts";
import type { StoredSignature } from "./stored_signature.ts";
import { isSignedBy } from "./trusted_key.ts";

/** The image whose signature is wanted. */
export interface SignedSubject {
  /** `registry/repository` it was asked for by (of the registry itself, where a mirror served it). */
  readonly reference: string;
  /** Digest of the index it was chosen from, if there was one. */
  readonly indexDigest?: string;
  /** Digest of the platform's manifest. */
  readonly manifestDigest: string;
}

/** Who signed: a key by its file, or the holder of a certificate. */
export type ImageSigner =
  | { readonly kind: "key"; readonly file: string }
  | { readonly kind: "certificate" } & CertificateSigner;

/** What became of the signature check when nothing speaks against the image; `summary` is a sentence for people. */
export type SignatureReport =
  | { readonly state: "off" | "not-checked" | "unsigned"; readonly summary: string }
  | VerifiedSignature;

/** An accepted signature. */
export interface VerifiedSignature {
  /** Tells it from the other reports. */
  readonly state: "verified";
  /** A sentence for people. */
  readonly summary: string;
  /** Whose it is. */
  readonly signer: ImageSigner;
  /** The signed digest: of the index or of the platform's manifest. */
  readonly digest: string;
  /** Which of the two it is. */
  readonly over: "index" | "manifest";
  /** Where the signature lay: the `sha256-<hex>.sig` tag or an OCI referrer. */
  readonly form: "tag" | "referrer";
  /** Codes of the signatures that were looked at before and not accepted. */
  readonly refused: readonly SignatureErrorCode[];
}

/**
 * Looks for a signature of the image's index or platform manifest that the policy accepts, in both forms of storage,
 * and stops at the first.
 *
 * Rejects with {@linkcode SignatureError}: the refusal of the signature that came nearest, `missing` or `no-trust`
 * where the policy requires one; errors of the source pass through, as no answer is not "no signature".
 */
export async function verifySignatures(
  subject: SignedSubject,
  policy: SignaturePolicy,
  options: { readonly source: SignatureSource; readonly signal: AbortSignal },
): Promise<SignatureReport> {
  if (policy.mode === "off") return { state: "off", summary: "signatures are not checked (off)" };
  demandTrust(policy);
  if (!canVerify(policy)) {
    return {
      state: "not-checked",
      summary: "signatures are not checked: no key and no identity is configured",
    };
  }
  const digests = [...new Set([subject.indexDigest ?? subject.manifestDigest, subject.manifestDigest])];
  const { reference } = subject;
  const { annotations, signedAs } = policy;
  const demand: ClaimDemand = { reference, digests, annotations, signedAs };
  const refusals: SignatureError[] = [];
  for (const digest of digests) {
    for await (const found of findSignatures({ ...options, digest })) {
      const verdict = found instanceof SignatureError ? found : await judge(found, policy, demand);
      if (!(verdict instanceof SignatureError)) return verified(verdict, subject, refusals);
      refusals.push(verdict);
    }
  }
  const nearest = nearestRefusal(refusals);
  if (nearest) throw refused(nearest, subject, refusals);
  const summary = `no signature of ${digests.join(" or ")} is stored in '${reference}'`;
  if (policy.mode === "auto") return { state: "unsigned", summary };
  throw new SignatureError(
    "missing",
    `Cannot accept '${reference}': ${summary}, and one is required; sign it`,
  );
}

type Accepted = Pick<VerifiedSignature, "signer" | "digest" | "form">;

/** First who signed, then what: nothing of the content is believed before. */
async function judge(
  found: StoredSignature,
  policy: SignaturePolicy,
  demand: ClaimDemand,
): Promise<Accepted | SignatureError> {
  try {
    const signer = await identifySigner(found, policy);
    return { signer, digest: checkClaim(found.claim(), demand), form: found.form };
  } catch (refusal) {
    if (refusal instanceof SignatureError) return refusal;
    throw refusal;
  }
}

async function identifySigner(found: StoredSignature, policy: SignaturePolicy): Promise<ImageSigner> {
  const key = policy.keys.find((candidate) => isSignedBy(candidate, found));
  if (key) return { kind: "key", file: key.file };
  if (found.certified && policy.trust && policy.identities.length > 0) {
    const signer = await verifyCertified({ bundle: found.certified, artifact: found.bytes }, policy.trust);
    checkSigner(signer, policy.identities);
    return { kind: "certificate", ...signer };
  }
  throw unknownSigner(found, policy);
}

/** A wrong key and altered bytes look the same to the mathematics; what lies beside the signature may tell. */
function unknownSigner(found: StoredSignature, policy: SignaturePolicy): SignatureError {
  const named = policy.keys.find(({ hint }) => hint === found.hints.key);
  const loggedDigest = named ? undefined : otherLoggedDigest(found);
  if (named || loggedDigest !== undefined) {
    return new SignatureError(
      "altered-payload",
      `Cannot accept a signature over other bytes than it was made for: it claims ${
        named ? `the key of '${named.file}'` : `to be over ${quoted(loggedDigest ?? "")}`
      }, but the payload was altered${prehashDoubt(found, policy)}`,
    );
  }
  const wanted = policy.keys.length > 0
    ? `none of the ${policy.keys.length} trusted keys made it`
    : "it has no certificate";
  return new SignatureError(
    "wrong-key",
    `Cannot accept a signature of an unknown signer: ${wanted}${
      found.certified ? ", and its certificate is not asked for" : ""
    }${prehashDoubt(found, policy)}`,
  );
}

/** The digest a log's entry gives for the signed bytes, if they have another. */
function otherLoggedDigest({ hints: { loggedDigest }, bytes }: StoredSignature): string | undefined {
  const algorithm = /^sha(256|384|512):/.exec(loggedDigest ?? "")?.[0].slice(0, -1);
  if (algorithm === undefined) return undefined;
  const digest = `${algorithm}:${crypto.createHash(algorithm).update(bytes).digest("hex")}`;
  return digest === loggedDigest ? undefined : loggedDigest;
}

/** Both forms of Ed25519 have the same keys and signatures of the same length; the runtime verifies only the pure one. */
function prehashDoubt({ signature }: StoredSignature, { keys }: SignaturePolicy): string {
  return signature.length === 64 && keys.some(({ key }) => key.asymmetricKeyType === "ed25519")
    ? "; or it was made with Ed25519ph, which cannot be verified here: sign with an ECDSA key"
    : "";
}

function verified(
  accepted: Accepted,
  subject: SignedSubject,
  refusals: readonly SignatureError[],
): VerifiedSignature {
  const over = accepted.digest === subject.indexDigest ? "index" : "manifest";
  const { signer } = accepted;
  const by = signer.kind === "key"
    ? `the key of '${signer.file}'`
    : `'${signer.identity}' (${signer.issuer})`;
  return {
    state: "verified",
    summary: `${over} ${accepted.digest} is signed by ${by}`,
    ...accepted,
    over,
    refused: refusals.map(({ code }) => code),
  };
}

function refused(
  nearest: SignatureError,
  subject: SignedSubject,
  refusals: readonly SignatureError[],
): SignatureError {
  const others = refusals.length - 1;
  return new SignatureError(
    nearest.code,
    `${nearest.message} (image '${subject.reference}'${
      others > 0 ? `, ${others} other signatures refused too` : ""
    })`,
    { cause: others > 0 ? new AggregateError(refusals, "refused signatures") : nearest.cause },
  );
}
