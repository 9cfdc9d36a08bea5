import "reflect-metadata";
import {
  BasicConstraintsExtension,
  Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/**
 * Certificates of the two sides: what the agent serves to devices, and what a device presents.
 *
 * Generating keys is slow, so every builder keeps what it made for the life of the process: the same options give
 * the same certificate.
 *
 * @module
 */

/** A server certificate with its key, and what devices have compiled in to check it. */
export interface ServerPair {
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PEM of the certificate that devices use as their authority: the certificate itself, or its issuer. */
  readonly pinned: string;
}

/** How a server pair differs from a self-signed `CN=ota-agent` with CA:TRUE and no alternative name. */
export interface ServerPairOptions {
  /** `ecdsa` (the default) is made in a moment; the deployed pair is `rsa` of 2048 bits. */
  readonly algorithm?: "ecdsa" | "rsa";
  /** Whether it ended on 2026-06-13 as the deployed one did; otherwise it is valid for years. */
  readonly expired?: boolean;
  /** `ota-agent` by default. */
  readonly commonName?: string;
  /** DNS names of a subject alternative name extension; none by default. */
  readonly alternativeNames?: readonly string[];
  /** Whether an authority, which then is what devices pin, issues it as a leaf (CA:FALSE). */
  readonly issued?: boolean;
}

/** A device's certificate in both its forms. */
export interface DiceCertificate {
  /** X.509 v3, 722 to 727 bytes. */
  readonly der: Uint8Array<ArrayBuffer>;
  /** The same as text. */
  readonly pem: string;
  /** 40 hexadecimal digits: its subject's serialNumber. */
  readonly subject: string;
}

const ALGORITHMS = {
  ecdsa: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  rsa: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
} as const;

/** Devices sign with SHA-512 although their curve has 256 bits. */
const DICE_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-512" } as const;

const pairs = new Map<string, Promise<ServerPair>>();
const devices = new Map<string, Promise<DiceCertificate>>();

/** A server pair. Made once per process and set of options. */
export function serverPair(options: ServerPairOptions = {}): Promise<ServerPair> {
  return once(pairs, JSON.stringify(options, Object.keys(options).sort()), () => makeServerPair(options));
}

/** The pair in the field: RSA-2048, self-signed, `CN=ota-agent`, CA:TRUE, no alternative name, expired. */
export function deployedServerPair(): Promise<ServerPair> {
  return serverPair({ algorithm: "rsa", expired: true });
}

/** A leaf issued by the authority devices pin: how keys rotate without reflashing. */
export function leafServerPair(): Promise<ServerPair> {
  return serverPair({ issued: true });
}

/** A certificate beside the key of another. */
export async function mismatchedServerPair(): Promise<ServerPair> {
  const [one, other] = await Promise.all([serverPair(), serverPair({ commonName: "somebody-else" })]);
  return { ...one, key: other.key };
}

/** The DICE certificate of the device called `name`: equal names are the same device. */
export function diceCertificate(name = "device"): Promise<DiceCertificate> {
  return once(devices, name, makeDiceCertificate);
}

/** DER as PEM text, as the attestation server takes it. */
export function pemOf(der: Uint8Array<ArrayBuffer>): string {
  return PemConverter.encode(
    der.buffer.slice(der.byteOffset, der.byteOffset + der.byteLength),
    "CERTIFICATE",
  ) +
    "\n";
}

/** The first certificate in PEM text as DER. Throws when there is none. */
export function derOf(pem: string): Uint8Array<ArrayBuffer> {
  const [first] = PemConverter.decode(pem);
  if (first === undefined) throw new TypeError("Cannot decode PEM: it holds no certificate");
  return new Uint8Array(first);
}

/** Remembers promises, not values, so that tests running at once do not make the same key twice. */
function once<Value>(memory: Map<string, Promise<Value>>, key: string, make: () => Promise<Value>) {
  let value = memory.get(key);
  if (value === undefined) memory.set(key, value = make());
  return value;
}

async function makeServerPair(options: ServerPairOptions): Promise<ServerPair> {
  const algorithm = ALGORITHMS[options.algorithm ?? "ecdsa"];
  const keys = await generateKeys(algorithm);
  const subject = commonName(options.commonName ?? "ota-agent");
  const authority = options.issued
    ? { keys: await generateKeys(algorithm), name: commonName("ota-authority") }
    : { keys, name: subject };
  const years = options.expired ? [2025, 2026] as const : [2024, 2044] as const;
  const validity = {
    notBefore: new Date(Date.UTC(years[0], 5, 13)),
    notAfter: new Date(Date.UTC(years[1], 5, 13)),
  };
  const pinned = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: authority.name,
    keys: authority.keys,
    ...validity,
    signingAlgorithm: algorithm,
    extensions: [new BasicConstraintsExtension(true, undefined, true), ...alternatives(options)],
  });
  const certificate = options.issued
    ? await X509CertificateGenerator.create({
      serialNumber: "02",
      subject,
      issuer: authority.name,
      publicKey: keys.publicKey,
      signingKey: authority.keys.privateKey,
      ...validity,
      signingAlgorithm: algorithm,
      extensions: [new BasicConstraintsExtension(false, undefined, true), ...alternatives(options)],
    })
    : pinned;
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificate: pem(certificate),
    key: PemConverter.encode(key, "PRIVATE KEY") + "\n",
    pinned: pem(pinned),
  };
}

async function makeDiceCertificate(): Promise<DiceCertificate> {
  const [issuer, device] = await Promise.all([generateKeys(DICE_ALGORITHM), generateKeys(DICE_ALGORITHM)]);
  const subject = await keyIdentifier(device);
  for (;;) {
    const certificate = await X509CertificateGenerator.create({
      // Twenty bytes with the top bit clear, so that the length does not vary.
      serialNumber: "4" + subject.slice(1),
      subject: serialNumberName(subject),
      issuer: serialNumberName(await keyIdentifier(issuer)),
      notBefore: new Date("2018-03-22T23:59:59Z"),
      notAfter: new Date("9999-12-31T23:59:59Z"),
      publicKey: device.publicKey,
      signingKey: issuer.privateKey,
      signingAlgorithm: DICE_ALGORITHM,
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
        new BasicConstraintsExtension(true, undefined, true),
        new Extension("1.3.6.1.4.1.11129.2.1.24", true, diceInputs()),
      ],
    });
    const der = new Uint8Array(certificate.rawData);
    // Both numbers of the signature lose leading zero bytes by chance; a very short one falls out of the range.
    if (der.length >= 722) return { der, pem: pemOf(der), subject };
  }
}

/**
 * The Open DICE extension:
 * SEQUENCE { [0] code hash, [2] configuration hash, [3] configuration descriptor, [4] authority hash, [6] mode }.
 * The descriptor's length brings the certificate to 727 bytes at most.
 */
function diceInputs(): Uint8Array<ArrayBuffer> {
  const hash = (): Uint8Array => der(0x04, crypto.getRandomValues(new Uint8Array(64)));
  return der(
    0x30,
    der(0xa0, hash()),
    der(0xa2, hash()),
    der(0xa3, der(0x04, crypto.getRandomValues(new Uint8Array(DESCRIPTOR_BYTES)))),
    der(0xa4, hash()),
    der(0xa6, der(0x0a, Uint8Array.of(1))),
  );
}

const DESCRIPTOR_BYTES = 81;

/** One DER element. */
function der(tag: number, ...contents: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  const header = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  const element = new Uint8Array(header.length + length);
  element.set(header);
  let offset = header.length;
  for (const content of contents) {
    element.set(content, offset);
    offset += content.length;
  }
  return element;
}

async function generateKeys(algorithm: EcKeyGenParams | RsaHashedKeyGenParams): Promise<CryptoKeyPair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new TypeError("Cannot generate a key pair: got a single key");
  return keys;
}

async function keyIdentifier(keys: CryptoKeyPair): Promise<string> {
  const publicKey = await crypto.subtle.exportKey("spki", keys.publicKey);
  return new Uint8Array(await crypto.subtle.digest("SHA-512", publicKey)).subarray(0, 20).toHex();
}

function commonName(text: string): JsonName {
  return [{ CN: [text] }];
}

function serialNumberName(text: string): JsonName {
  return [{ "2.5.4.5": [text] }];
}

function alternatives(options: ServerPairOptions): Extension[] {
  if (options.alternativeNames === undefined) return [];
  return [
    new SubjectAlternativeNameExtension(
      options.alternativeNames.map((value) => ({ type: "dns" as const, value })),
    ),
  ];
}

function pem(certificate: X509Certificate): string {
  return certificate.toString("pem") + "\n";
}
