import { Buffer } from "node:buffer";
import crypto from "node:crypto";
import * as v from "valibot";
import { simpleSigningClaim } from "./simple_signing.ts";
import { readBundle } from "./sigstore_bundle.ts";
import { SignatureError } from "./signature_error.ts";
import type { SignatureContent, SignerHints } from "./stored_signature.ts";

/** Media type of a layer that holds a signed payload (cosign specs/SIGNATURE_SPEC.md). */
export const SIMPLE_SIGNING_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";

/** An entry of a certificate, a log or a timestamp takes some 2 to 8 KiB. */
const MAX_ANNOTATION_CHARACTERS = 64 * 1024;

const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]+={0,2}$/));

const LogBundle = v.object({
  SignedEntryTimestamp: base64,
  Payload: v.object({
    body: base64,
    integratedTime: v.pipe(v.number(), v.safeInteger()),
    logIndex: v.pipe(v.number(), v.safeInteger()),
    logID: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  }),
});

const LoggedHash = v.object({ algorithm: v.string(), value: v.string() });

const LogBody = v.object({
  kind: v.string(),
  apiVersion: v.string(),
  spec: v.object({
    data: v.optional(v.object({ hash: v.optional(LoggedHash) })),
    signature: v.optional(v.object({ publicKey: v.optional(v.object({ content: v.string() })) })),
  }),
});

const Timestamp = v.object({ SignedRFC3161Timestamp: base64 });

/**
 * A signature in cosign's first form: the payload is a layer, everything else stands in the layer's annotations.
 * Where only the signature itself can be read, that is what is left: a key needs no log.
 *
 * Throws {@linkcode SignatureError} `bad-bundle` or `limit`.
 */
export async function readCosignLayer(
  payload: Uint8Array,
  annotations: Readonly<Record<string, string>>,
): Promise<SignatureContent> {
  // Trust boundary: annotations are the registry's words.
  const signature = read(base64, text(annotations, "dev.cosignproject.cosign/signature"));
  if (signature === undefined) {
    throw new SignatureError(
      "bad-bundle",
      "Cannot read a cosign signature: its layer is not annotated with one",
    );
  }
  const certificate = text(annotations, "dev.sigstore.cosign/certificate");
  const log = read(LogBundle, json(text(annotations, "dev.sigstore.cosign/bundle")));
  const timestamp = read(Timestamp, json(text(annotations, "dev.sigstore.cosign/rfc3161timestamp")));
  const body = log && read(LogBody, json(Buffer.from(log.Payload.body, "base64").toString("utf8")));
  return {
    bytes: payload,
    signature: Buffer.from(signature, "base64"),
    claim: () => simpleSigningClaim(payload),
    hints: hintsOf(body),
    ...(certificate === undefined ? {} : {
      certified: await readBundle(bundleOf({ payload, signature, certificate, log, body, timestamp })),
    }),
  };
}

/** The same as a bundle of version 0.1, the last one whose log entries need no inclusion proof. */
function bundleOf(parts: {
  readonly payload: Uint8Array;
  readonly signature: string;
  readonly certificate: string;
  readonly log: v.InferOutput<typeof LogBundle> | undefined;
  readonly body: v.InferOutput<typeof LogBody> | undefined;
  readonly timestamp: v.InferOutput<typeof Timestamp> | undefined;
}): object {
  const { log, body, timestamp } = parts;
  const entry = log && body && {
    logIndex: String(log.Payload.logIndex),
    logId: { keyId: Buffer.from(log.Payload.logID, "hex").toString("base64") },
    kindVersion: { kind: body.kind, version: body.apiVersion },
    integratedTime: String(log.Payload.integratedTime),
    inclusionPromise: { signedEntryTimestamp: log.SignedEntryTimestamp },
    canonicalizedBody: log.Payload.body,
  };
  const digest = crypto.createHash("sha256").update(parts.payload).digest("base64");
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: firstCertificate(parts.certificate) }] },
      tlogEntries: entry ? [entry] : [],
      timestampVerificationData: {
        rfc3161Timestamps: timestamp ? [{ signedTimestamp: timestamp.SignedRFC3161Timestamp }] : [],
      },
    },
    messageSignature: { messageDigest: { algorithm: "SHA2_256", digest }, signature: parts.signature },
  };
}

/** DER in base64 of the leaf; the chain beside it is not looked at, as only the trusted root counts. */
function firstCertificate(pem: string): string {
  const [, body] = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (body === undefined) {
    throw new SignatureError("bad-bundle", "Cannot read a cosign signature: its certificate is not in PEM");
  }
  return body.replace(/\s/g, "");
}

function hintsOf(body: v.InferOutput<typeof LogBody> | undefined): SignerHints {
  const hash = body?.spec.data?.hash;
  const pem = Buffer.from(body?.spec.signature?.publicKey?.content ?? "", "base64").toString("latin1");
  const [, der] = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem) ?? [];
  return {
    ...(hash === undefined ? {} : { loggedDigest: `${hash.algorithm}:${hash.value}` }),
    ...(der === undefined ? {} : {
      key: crypto.createHash("sha256").update(Buffer.from(der, "base64")).digest("base64"),
    }),
  };
}

/** An annotation's text, `undefined` when absent or empty. */
function text(annotations: Readonly<Record<string, string>>, name: string): string | undefined {
  const found = Object.hasOwn(annotations, name) ? annotations[name] : undefined;
  if (found !== undefined && found.length > MAX_ANNOTATION_CHARACTERS) {
    throw new SignatureError(
      "limit",
      `Cannot read annotation '${name}': ${found.length} characters, at most ${MAX_ANNOTATION_CHARACTERS} are read`,
    );
  }
  return found || undefined;
}

function read<Output>(schema: v.GenericSchema<unknown, Output>, value: unknown): Output | undefined {
  const parsed = v.safeParse(schema, value);
  return parsed.success ? parsed.output : undefined;
}

/** JSON, or `undefined`, which no schema here accepts. */
function json(source: string | undefined): unknown {
  try {
    return source === undefined ? undefined : JSON.parse(source);
  } catch {
    return undefined;
  }
}
