import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { X509Certificate } from "node:crypto";
import {
  deployedServerPair,
  derOf,
  diceCertificate,
  leafServerPair,
  mismatchedServerPair,
  serverPair,
} from "./certificates.ts";

Deno.test("diceCertificate: 722 to 727 bytes, serialNumber names, SHA-512, the DICE extension", async () => {
  for (const name of ["one", "two", "three", "four"]) {
    const { der, pem, subject } = await diceCertificate(name);
    assert(der.length >= 722 && der.length <= 727, `${der.length} bytes`);
    assertEquals(derOf(pem), der);
    const certificate = new X509Certificate(pem);
    assertEquals(certificate.subject, `serialNumber=${subject}`);
    assert(/^serialNumber=[0-9a-f]{40}$/.test(certificate.issuer));
    assert(/^[0-9a-f]{40}$/.test(subject));
    // ecdsa-with-SHA512, and 1.3.6.1.4.1.11129.2.1.24 marked critical.
    assert(der.toHex().includes("06082a8648ce3d040304"));
    assert(der.toHex().includes("060a2b06010401d6790201180101ff"));
  }
});

Deno.test("diceCertificate: the same name is the same device, another name is another", async () => {
  assertEquals(await diceCertificate("one"), await diceCertificate("one"));
  assertNotEquals((await diceCertificate("one")).pem, (await diceCertificate("two")).pem);
});

Deno.test("deployedServerPair: RSA-2048, self-signed CA, CN=ota-agent, no other name, expired", async () => {
  const { certificate, key, pinned } = await deployedServerPair();
  const x509 = new X509Certificate(certificate);
  assertEquals(pinned, certificate);
  assertEquals(x509.subject, "CN=ota-agent");
  assertEquals(x509.ca, true);
  assertEquals(x509.subjectAltName, undefined);
  assertEquals(x509.publicKey.asymmetricKeyType, "rsa");
  assert(x509.verify(x509.publicKey));
  assert(new Date(x509.validTo) < new Date("2026-06-14"));
  assert(key.startsWith("-----BEGIN PRIVATE KEY-----"));
});

Deno.test("leafServerPair: a leaf that the pinned authority issued", async () => {
  const { certificate, pinned } = await leafServerPair();
  const [leaf, authority] = [new X509Certificate(certificate), new X509Certificate(pinned)];
  assertEquals([leaf.ca, authority.ca], [false, true]);
  assert(leaf.verify(authority.publicKey));
});

Deno.test("mismatchedServerPair: the key belongs to another certificate", async () => {
  const [own, mixed] = await Promise.all([serverPair(), mismatchedServerPair()]);
  assertEquals(mixed.certificate, own.certificate);
  assertNotEquals(mixed.key, own.key);
});
