import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { initAuthority } from "../../src/certs/authority.ts";
import { KEY_ALGORITHMS } from "../../src/certs/key_algorithm.ts";
import { issueLeaf } from "../../src/certs/leaf.ts";
import type { World } from "../../src/world.ts";
import { deployedServerPair } from "../builders/certificates.ts";
import { OpensslDesk } from "../image/openssl_program.ts";
import { Workshop } from "./workshop.ts";

async function modeOf(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o777;
}

for (const algorithm of KEY_ALGORITHMS) {
  Deno.test(`issueLeaf: openssl verifies a ${algorithm} leaf against its authority, by name`, async () => {
    await using openssl = await OpensslDesk.open();
    if (openssl === undefined) return;
    await using shop = await Workshop.open();
    const authority = shop.pair("authority");
    const leaf = shop.pair("server");
    await initAuthority({ paths: authority, algorithm }, shop.world);
    const issued = await issueLeaf({ paths: leaf, authority, algorithm }, shop.world);

    const verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", authority.certificate];
    await openssl.must(...verify, "-verify_hostname", "ota-agent", leaf.certificate);
    assertEquals((await openssl.run(...verify, "-verify_hostname", "other", leaf.certificate)).ok, false);

    const fingerprint = await openssl.run(
      "x509",
      "-in",
      leaf.certificate,
      "-noout",
      "-fingerprint",
      "-sha256",
    );
    assertEquals(fingerprint.text.trim().split("=")[1]?.replaceAll(":", "").toLowerCase(), issued.sha256);
    // The key is the certificate's: both give the same public key.
    const ofKey = await openssl.run("pkey", "-in", leaf.key, "-pubout");
    const ofCertificate = await openssl.run("x509", "-in", leaf.certificate, "-noout", "-pubkey");
    assertEquals(ofKey.text, ofCertificate.text);
  });
}

Deno.test("initAuthority: CA:TRUE for leaves only, named as an authority, ten years, key unreadable for others", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using shop = await Workshop.open();
  const paths = shop.pair("authority");
  const issued = await initAuthority({ paths }, shop.world);
  const { text } = await openssl.run("x509", "-in", paths.certificate, "-noout", "-text");
  assertMatch(text, /Subject: CN = ?ota-agent authority/);
  assertMatch(text, /Issuer: CN = ?ota-agent authority/);
  assertMatch(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  assertMatch(text, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
  assertMatch(text, /ASN1 OID: prime256v1/);
  assertEquals(Math.round((issued.notAfter.getTime() - Date.now()) / 86_400_000), 3650);
  assertEquals([await modeOf(paths.key), await modeOf(paths.certificate)], [0o600, 0o600]);
});

Deno.test("issueLeaf: CN and SAN ota-agent, CA:FALSE, TLS server, one year", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using shop = await Workshop.open();
  const authority = shop.pair("authority");
  const paths = shop.pair("server");
  await initAuthority({ paths: authority }, shop.world);
  const issued = await issueLeaf({ paths, authority }, shop.world);
  const { text } = await openssl.run("x509", "-in", paths.certificate, "-noout", "-text");
  assertMatch(text, /Subject: CN = ?ota-agent\n/);
  assertMatch(text, /Subject Alternative Name: \n\s+DNS:ota-agent\n/);
  assertMatch(text, /Basic Constraints: critical\s+CA:FALSE/);
  assertMatch(text, /Extended Key Usage: \n\s+TLS Web Server Authentication\n/);
  assertNotMatch(text, /Certificate Sign/);
  assertEquals(Math.round((issued.notAfter.getTime() - Date.now()) / 86_400_000), 365);
  assertEquals(await modeOf(paths.key), 0o600);
  assertMatch(await Deno.readTextFile(paths.key), /^-----BEGIN PRIVATE KEY-----\n/);
  assertEquals(shop.warnings, []);
});

Deno.test("issueLeaf: names, days and serial numbers are as asked for", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using shop = await Workshop.open();
  const authority = shop.pair("authority");
  await initAuthority({ paths: authority, commonName: "fleet, east: Ω + co", days: 20 }, shop.world);
  const settings = {
    authority,
    commonName: "ota-agent",
    dnsNames: ["ota-agent", "agent.example.org"],
    days: 30,
  };
  const serials = new Set<string>();
  for (const name of ["one", "two"]) {
    const paths = shop.pair(name);
    await issueLeaf({ ...settings, paths }, shop.world);
    const { text } = await openssl.run(
      "x509",
      "-in",
      paths.certificate,
      "-noout",
      "-text",
      "-nameopt",
      "utf8,oneline",
    );
    assertMatch(text, /Issuer: CN = "fleet, east: \\CE\\A9 \+ co"/);
    assertMatch(text, /DNS:ota-agent, DNS:agent\.example\.org/);
    serials.add((await openssl.run("x509", "-in", paths.certificate, "-noout", "-serial")).text);
  }
  assertEquals(serials.size, 2);
  assertEquals(shop.warnings, Array(2).fill("The authority's certificate ends before the new one"));
});

Deno.test("issueLeaf: the self-signed pair in the field can be the authority, so that no device is reflashed", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using shop = await Workshop.open();
  // RSA-2048, CN=ota-agent, CA:TRUE, expired: the leaf has the same name as its issuer.
  const authority = await shop.put("deployed", await deployedServerPair());
  const paths = shop.pair("server");
  await issueLeaf({ paths, authority }, shop.world);
  await openssl.must(
    ...["verify", "-no_check_time", "-CAfile", authority.certificate, "-verify_hostname", "ota-agent"],
    paths.certificate,
  );
  assertEquals(shop.warnings.length, 1);
});

Deno.test("issueLeaf: authorities that openssl made, with older key files and longer names, are taken", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using shop = await Workshop.open();
  const kinds: Readonly<Record<string, string[]>> = {
    sec1: ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
    p384: ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    pkcs1: ["genrsa", "-traditional"],
  };
  for (const [kind, generate] of Object.entries(kinds)) {
    const authority = shop.pair(kind);
    await openssl.must(...generate, "-out", authority.key);
    await openssl.must(
      ...[
        "req",
        "-x509",
        "-new",
        "-key",
        authority.key,
        "-out",
        authority.certificate,
        "-days",
        "900",
        "-utf8",
      ],
      ...["-subj", "/C=GR/O=Example Fleet/OU=Größe/CN=ota-agent"],
    );
    const paths = shop.pair(`${kind}-leaf`);
    await issueLeaf({ paths, authority }, shop.world);
    await openssl.must(
      "verify",
      "-CAfile",
      authority.certificate,
      "-verify_hostname",
      "ota-agent",
      paths.certificate,
    );
    // The very bytes of the name: a device may compare them without normalising.
    const names = await openssl.run(
      "x509",
      "-in",
      paths.certificate,
      "-noout",
      "-issuer",
      "-nameopt",
      "RFC2253,show_type",
    );
    const wanted = await openssl.run(
      "x509",
      "-in",
      authority.certificate,
      "-noout",
      "-subject",
      "-nameopt",
      "RFC2253,show_type",
    );
    assertEquals(names.text.replace("issuer=", ""), wanted.text.replace("subject=", ""));
  }
});

Deno.test("issueLeaf: a TLS 1.2 client that pins the authority accepts our listener, one that pins another does not", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using shop = await Workshop.open();
  const [authority, other, paths] = [shop.pair("authority"), shop.pair("other"), shop.pair("server")];
  await initAuthority({ paths: authority }, shop.world);
  await initAuthority({ paths: other }, shop.world);
  await issueLeaf({ paths, authority }, shop.world);
  using listener = shop.world.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    certificate: await Deno.readTextFile(paths.certificate),
    key: await Deno.readTextFile(paths.key),
  });
  const handshakes = serveHandshakes(listener, 2);
  const client = (pinned: string) =>
    openssl.run(
      ...["s_client", "-connect", `127.0.0.1:${listener.port}`, "-tls1_2", "-servername", "ota-agent"],
      ...["-CAfile", pinned, "-verify_hostname", "ota-agent", "-verify_return_error"],
    );
  const accepted = await client(authority.certificate);
  assert(accepted.ok, accepted.text);
  assertMatch(accepted.text, /Verify return code: 0 \(ok\)/);
  assertEquals((await client(other.certificate)).ok, false);
  assertEquals(await handshakes, ["fulfilled", "rejected"]);
});

/** How each of the next `count` handshakes ended. */
async function serveHandshakes(listener: ReturnType<World["listenTls"]>, count: number): Promise<string[]> {
  const ends: string[] = [];
  for (let served = 0; served < count; served++) {
    const connection = await listener.accept();
    const [end] = await Promise.allSettled([connection.handshake()]);
    ends.push(end.status);
    connection.close();
  }
  return ends;
}
