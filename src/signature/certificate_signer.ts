import { Buffer } from "node:buffer";
import type { Bundle } from "@sigstore/bundle";
import type { SignedEntity, Signer } from "@sigstore/verify";
import { withDefaultDigest } from "./default_digest.ts";
import type { KeylessTrust } from "./keyless_trust.ts";
import { quoted, SignatureError } from "./signature_error.ts";

/** Who a certificate says its holder is. */
export interface CertificateSigner {
  /** Subject alternative name: an e-mail address or a workflow's URI. */
  readonly identity: string;
  /** URL of the OIDC provider that vouched for it. */
  readonly issuer: string;
}

/** A signer that is accepted: exact text, or an expression for the whole of it. */
export interface AcceptedSigner {
  /** Of the certificate's subject alternative name. */
  readonly identity: string | RegExp;
  /** Of the OIDC provider's URL. */
  readonly issuer: string | RegExp;
}

/**
 * Verifies a bundle that carries a certificate: chain, signed certificate timestamp, log entry, time and signature.
 * The trusted root decides what is demanded: a log of certificates or of signatures that it names must have the entry.
 *
 * `artifact` is what a bare message signature is over. Rejects with {@linkcode SignatureError}
 * `untrusted-certificate`, `expired-certificate`, `altered-payload` or `bad-bundle`.
 */
export async function verifyCertified(
  signed: { readonly bundle: Bundle; readonly artifact: Uint8Array },
  trust: KeylessTrust,
): Promise<CertificateSigner> {
  const { toSignedEntity, VerificationError, Verifier } = await import("@sigstore/verify");
  const { material } = trust;
  let entity: SignedEntity | undefined;
  let signer: Signer;
  try {
    const candidate = entity = toSignedEntity(signed.bundle, Buffer.from(signed.artifact));
    const verifier = new Verifier(material, {
      tlogThreshold: material.tlogs.length > 0 ? 1 : 0,
      ctlogThreshold: material.ctlogs.length > 0 ? 1 : 0,
      timestampThreshold: 1,
    });
    signer = withDefaultDigest(() => verifier.verify(candidate));
  } catch (cause) {
    throw refusal(cause instanceof VerificationError ? cause : undefined, { entity, cause });
  }
  const identity = signer.identity?.subjectAlternativeName;
  const issuer = signer.identity?.extensions?.issuer;
  if (!identity || !issuer) {
    throw new SignatureError(
      "bad-bundle",
      "Cannot accept a certificate without both an identity and an issuer",
    );
  }
  return { identity, issuer };
}

function refusal(
  known: { readonly code: string; readonly message: string } | undefined,
  found: { readonly entity: SignedEntity | undefined; readonly cause: unknown },
): SignatureError {
  const { cause } = found;
  switch (known?.code) {
    case "CERTIFICATE_ERROR":
      return found.entity && isOutsideValidity(found.entity)
        ? new SignatureError(
          "expired-certificate",
          "Cannot accept a signature made while its certificate was not valid: it must be signed anew",
          { cause },
        )
        : new SignatureError(
          "untrusted-certificate",
          `Cannot accept the signer's certificate: ${known.message}, wanted one of the trusted root's`,
          { cause },
        );
    case "SIGNATURE_ERROR":
    case "TLOG_BODY_ERROR":
      return new SignatureError(
        "altered-payload",
        `Cannot accept a payload that is not the one its certificate's holder signed: ${known.message}`,
        { cause },
      );
    default:
      return new SignatureError(
        "bad-bundle",
        `Cannot verify the signature's proofs: ${known?.message ?? "they cannot be read"}`,
        { cause },
      );
  }
}

/** The library does not tell an expired certificate from an untrusted one, so its dates are looked at here. */
function isOutsideValidity({ key, timestamps }: SignedEntity): boolean {
  if (key.$case !== "certificate") return false;
  return timestamps.some((stamp) =>
    !key.certificate.validForDate(
      stamp.$case === "transparency-log"
        ? new Date(Number(stamp.tlogEntry.integratedTime) * 1000)
        : stamp.timestamp.signingTime,
    )
  );
}

/** Throws {@linkcode SignatureError} `wrong-identity` or `wrong-issuer` unless one of `accepted` is the signer. */
export function checkSigner(signer: CertificateSigner, accepted: readonly AcceptedSigner[]): void {
  const known = accepted.filter(({ identity }) => matches(identity, signer.identity));
  if (known.some(({ issuer }) => matches(issuer, signer.issuer))) return;
  if (known.length > 0) {
    throw new SignatureError(
      "wrong-issuer",
      `Cannot accept signer ${quoted(signer.identity)}: vouched for by ${quoted(signer.issuer)}, wanted ${
        known.map(({ issuer }) => String(issuer)).join(" or ")
      }`,
    );
  }
  throw new SignatureError(
    "wrong-identity",
    `Cannot accept signer ${quoted(signer.identity)} of ${quoted(signer.issuer)}: wanted ${
      accepted.map(({ identity }) => String(identity)).join(" or ")
    }`,
  );
}

function matches(expected: string | RegExp, found: string): boolean {
  return typeof expected === "string" ? expected === found : expected.test(found);
}
