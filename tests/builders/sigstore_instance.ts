/**
 * A Sigstore of one's own: an authority that issues certificates to identities, a log of certificates and a log of
 * signatures, and the trusted root that tells verifiers of them.
 *
 * Formats: RFC 6962 (signed certificate timestamp, Merkle tree), the Rekor API's signed entry timestamp, the
 * checkpoint of transparency-dev/formats, Fulcio's certificate extensions (docs/oid-info.md).
 *
 * @module
 */

import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate with its key, as a signer holds it for ten minutes. */
export interface IssuedCertificate {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly privateKey: KeyObject;
}

/** To whom and until when a certificate is issued. */
export interface CertificateRequest {
  /** An e-mail address, or a URI when it contains `://`. */
  readonly identity: string;
  readonly issuer: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** False leaves the signed certificate timestamp out. */
  readonly logged?: boolean;
}

/** What the log answers to a new entry, in the words of a bundle's JSON. */
export interface LogEntry {
  readonly logIndex: string;
  readonly logId: { readonly keyId: string };
  readonly kindVersion: { readonly kind: string; readonly version: string };
  readonly integratedTime: string;
  readonly inclusionPromise: { readonly signedEntryTimestamp: string };
  readonly inclusionProof: {
    readonly logIndex: string;
    readonly rootHash: string;
    readonly treeSize: string;
    readonly hashes: readonly string[];
    readonly checkpoint: { readonly envelope: string };
  };
  readonly canonicalizedBody: string;
}

/** What an instance's keys are; P-256 unless told. */
export interface InstanceKeys {
  readonly authority?: "P-256" | "P-384";
  readonly signatureLog?: "P-256" | "Ed25519";
}

/** A running instance, all in memory. */
export interface SigstoreInstance {
  /** The trusted root file's content. */
  readonly trustedRoot: Record<string, unknown>;
  issue(request: CertificateRequest): Promise<IssuedCertificate>;
  /** Enters a body (`{apiVersion, kind, spec}`) into the log of signatures, as seen at `time`. */
  enter(body: LogBody, time: Date): LogEntry;
  /** The same as Rekor 2 does it: with a proof, and without a word about the time. */
  enterUntimed(body: LogBody): Omit<LogEntry, "inclusionPromise">;
}

/** What is entered into the log of signatures. */
export interface LogBody {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Record<string, unknown>;
}

/** When certificates are issued and signatures made, unless a test says otherwise. */
export const SIGNING_TIME = new Date("2026-03-01T12:00:00Z");

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const VALID_FROM = new Date("2020-01-01T00:00:00Z");
const VALID_TO = new Date("2040-01-01T00:00:00Z");
const LOG_NAME = "rekor.sigstore.test";

/** Starts an instance with new keys. */
export async function sigstoreInstance(
  name = "sigstore.test",
  keys: InstanceKeys = {},
): Promise<SigstoreInstance> {
  const signingAlgorithm = keys.authority === "P-384"
    ? { ...ALGORITHM, namedCurve: "P-384", hash: "SHA-384" }
    : ALGORITHM;
  const authorityKeys = await crypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"]);
  const authority = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: [{ O: [name] }, { CN: ["sigstore"] }],
    notBefore: VALID_FROM,
    notAfter: VALID_TO,
    keys: authorityKeys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const certificateLog = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signatureLog = keys.signatureLog === "Ed25519"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    trustedRoot: {
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [logOf(signatureLog.publicKey, `https://${LOG_NAME}`)],
      certificateAuthorities: [{
        subject: { organization: name, commonName: "sigstore" },
        uri: `https://fulcio.${name}`,
        certChain: { certificates: [{ rawBytes: new Uint8Array(authority.rawData).toBase64() }] },
        validFor: { start: VALID_FROM.toISOString() },
      }],
      ctlogs: [logOf(certificateLog.publicKey, `https://ctfe.${name}`)],
      timestampAuthorities: [],
    },
    issue: (request) => issue(request, { authority, authorityKeys, signingAlgorithm, certificateLog }),
    enter: (body, time) => enter(body, time, signatureLog),
    enterUntimed: (body) => enterUntimed(body, signatureLog),
  };
}

interface NodeKeys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

async function issue(request: CertificateRequest, by: {
  readonly authority: X509Certificate;
  readonly authorityKeys: CryptoKeyPair;
  readonly signingAlgorithm: EcdsaParams & EcKeyGenParams;
  readonly certificateLog: NodeKeys;
}): Promise<IssuedCertificate> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  const notBefore = request.notBefore ?? SIGNING_TIME;
  const options = {
    serialNumber: "02",
    subject: [],
    issuer: by.authority.subjectName,
    publicKey: await crypto.subtle.importKey("spki", spki, ALGORITHM, true, ["verify"]),
    signingKey: by.authorityKeys.privateKey,
    signingAlgorithm: by.signingAlgorithm,
    notBefore,
    notAfter: request.notAfter ?? new Date(notBefore.getTime() + 600_000),
  };
  const extensions = [
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.3"]),
    new SubjectAlternativeNameExtension([{
      type: request.identity.includes("://") ? "url" : "email",
      value: request.identity,
    }], true),
    // UTF8String in DER, as Fulcio's second form of the extension has it.
    new Extension("1.3.6.1.4.1.57264.1.8", false, der(0x0c, new TextEncoder().encode(request.issuer))),
  ];
  // The timestamp is over the certificate without it (RFC 6962, section 3.2), so it is made twice.
  const unlogged = await X509CertificateGenerator.create({ ...options, extensions });
  const certificate = request.logged === false ? unlogged : await X509CertificateGenerator.create({
    ...options,
    extensions: [...extensions, new Extension("1.3.6.1.4.1.11129.2.4.2", false, timestamp(unlogged, by))],
  });
  return {
    der: new Uint8Array(certificate.rawData),
    pem: `${certificate.toString("pem")}\n`,
    privateKey,
  };
}

/** The list of one signed certificate timestamp, as the extension's value. */
function timestamp(
  certificate: X509Certificate,
  by: { readonly authority: X509Certificate; readonly certificateLog: NodeKeys },
): Uint8Array<ArrayBuffer> {
  const time = number(certificate.notBefore.getTime(), 8);
  const tbs = firstElement(new Uint8Array(certificate.rawData));
  const signed = concat(
    [0, 0],
    time,
    [0, 1],
    sha256(new Uint8Array(by.authority.publicKey.rawData)),
    number(tbs.length, 3),
    tbs,
    [0, 0],
  );
  const signature = sign("sha256", signed, by.certificateLog.privateKey);
  const sct = concat(
    [0],
    keyId(by.certificateLog.publicKey),
    time,
    [0, 0],
    [4, 3], // sha256, ecdsa
    number(signature.length, 2),
    signature,
  );
  return der(0x04, concat(number(sct.length + 2, 2), number(sct.length, 2), sct));
}

function enter(body: LogBody, time: Date, log: NodeKeys): LogEntry {
  const entry = enterUntimed(body, log);
  const integratedTime = Math.floor(time.getTime() / 1000);
  const promise = JSON.stringify({
    body: entry.canonicalizedBody,
    integratedTime,
    logID: logId(log.publicKey).toHex(),
    logIndex: 1,
  });
  return {
    ...entry,
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: signAsLog(promise, log).toBase64() },
  };
}

/** Entry 1 of a tree of two: the smallest that has a path to prove. */
function enterUntimed(body: LogBody, log: NodeKeys): Omit<LogEntry, "inclusionPromise"> {
  const canonicalizedBody = new TextEncoder().encode(JSON.stringify(body)).toBase64();
  const id = logId(log.publicKey);
  const sibling = sha256([0], new TextEncoder().encode("somebody else's entry"));
  const root = sha256([1], sibling, sha256([0], Uint8Array.fromBase64(canonicalizedBody)));
  const note = `${LOG_NAME} - 1\n2\n${root.toBase64()}\n`;
  const noteSignature = concat(id.subarray(0, 4), signAsLog(note, log));
  return {
    logIndex: "1",
    logId: { keyId: id.toBase64() },
    kindVersion: { kind: body.kind, version: body.apiVersion },
    integratedTime: "0",
    inclusionProof: {
      logIndex: "1",
      rootHash: root.toBase64(),
      treeSize: "2",
      hashes: [sibling.toBase64()],
      checkpoint: { envelope: `${note}\n\u2014 ${LOG_NAME} ${noteSignature.toBase64()}\n` },
    },
    canonicalizedBody,
  };
}

function signAsLog(text: string, { privateKey }: NodeKeys): Uint8Array<ArrayBuffer> {
  const digest = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
  return new Uint8Array(sign(digest, new TextEncoder().encode(text), privateKey));
}

function logOf(key: KeyObject, baseUrl: string): object {
  return {
    baseUrl,
    hashAlgorithm: "SHA2_256",
    publicKey: {
      rawBytes: spkiOf(key).toBase64(),
      keyDetails: key.asymmetricKeyType === "ed25519" ? "PKIX_ED25519" : "PKIX_ECDSA_P256_SHA_256",
      validFor: { start: VALID_FROM.toISOString() },
    },
    logId: { keyId: keyId(key).toBase64() },
    ...(key.asymmetricKeyType === "ed25519" ? { checkpointKeyId: { keyId: logId(key).toBase64() } } : {}),
  };
}

/** How a log calls itself: by its key, or as its signed notes do (c2sp.org/signed-note) where that is Ed25519. */
function logId(key: KeyObject): Uint8Array<ArrayBuffer> {
  if (key.asymmetricKeyType !== "ed25519") return keyId(key);
  return sha256(new TextEncoder().encode(`${LOG_NAME}\n`), [1], spkiOf(key).subarray(-32));
}

function spkiOf(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

function keyId(key: KeyObject): Uint8Array<ArrayBuffer> {
  return sha256(spkiOf(key));
}

function sha256(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(concat(...parts)).digest());
}

function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Big-endian. */
function number(value: number, bytes: number): Uint8Array {
  return Uint8Array.from(
    { length: bytes },
    (_, index) => Math.floor(value / 256 ** (bytes - 1 - index)) % 256,
  );
}

function der(tag: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = content.length < 128 ? [content.length] : [0x82, ...number(content.length, 2)];
  return concat([tag, ...length], content);
}

/** The first element inside a DER sequence, with its header: the part of a certificate that is signed. */
function firstElement(sequence: Uint8Array): Uint8Array {
  const start = 2 + lengthBytes(sequence, 1);
  const size = lengthBytes(sequence, start + 1);
  const content = size === 0
    ? sequence[start + 1] ?? 0
    : sequence.subarray(start + 2, start + 2 + size).reduce((sum, byte) => sum * 256 + byte, 0);
  return sequence.subarray(start, start + 2 + size + content);
}

/** How many bytes of length follow the first. */
function lengthBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  return first < 128 ? 0 : first - 128;
}
