import { assert, assertEquals, assertRejects } from "@std/assert";
import { initAuthority } from "../../src/certs/authority.ts";
import { CertsError, type CertsErrorCode } from "../../src/certs/certs_error.ts";
import { issueLeaf, type LeafSettings } from "../../src/certs/leaf.ts";
import type { PemPaths } from "../../src/certs/pem_pair.ts";
import { deployedServerPair } from "../builders/certificates.ts";
import { Workshop } from "./workshop.ts";

Deno.test("certs: nothing is overwritten, and a refusal leaves nothing new", async () => {
  await using shop = await Workshop.open();
  const authority = shop.pair("authority");
  await initAuthority({ paths: authority }, shop.world);
  const [certificate, key] = [
    await Deno.readTextFile(authority.certificate),
    await Deno.readTextFile(authority.key),
  ];
  const again: readonly (() => Promise<unknown>)[] = [
    () => initAuthority({ paths: authority }, shop.world),
    () => initAuthority({ paths: { ...authority, key: shop.path("new.key") } }, shop.world),
    () => initAuthority({ paths: { ...authority, certificate: shop.path("new.crt") } }, shop.world),
    () => issueLeaf({ paths: authority, authority }, shop.world),
  ];
  for (const action of again) assertEquals(await shop.refusal(action), "exists");
  assertEquals(await Deno.readTextFile(authority.certificate), certificate);
  assertEquals(await Deno.readTextFile(authority.key), key);
});

Deno.test("certs: a file that appears in between is not overwritten, and the key is taken away again", async () => {
  await using shop = await Workshop.open();
  const paths = shop.pair("authority");
  const blind = { ...shop.world, files: { ...shop.world.files, facts: () => Promise.resolve(undefined) } };
  await Deno.writeTextFile(paths.certificate, "somebody else's");
  assertEquals(await shop.refusal(() => initAuthority({ paths }, blind)), "io");
  assertEquals(await Deno.readTextFile(paths.certificate), "somebody else's");
});

Deno.test("certs: a directory that is not there is an io failure", async () => {
  await using shop = await Workshop.open();
  const paths = { certificate: shop.path("none/a.crt"), key: shop.path("none/a.key") };
  assertEquals(await shop.refusal(() => initAuthority({ paths }, shop.world)), "io");
});

Deno.test("certs: settings that cannot stand in a certificate are refused before anything is made", async () => {
  await using shop = await Workshop.open();
  const authority = shop.pair("authority");
  await initAuthority({ paths: authority }, shop.world);
  const wrong: readonly Partial<LeafSettings>[] = [
    { commonName: "" },
    { commonName: " " },
    { commonName: "x".repeat(65) },
    { commonName: "ota\nagent" },
    { days: 0 },
    { days: -1 },
    { days: 1.5 },
    { days: 36_501 },
    { days: NaN },
    { dnsNames: ["ota agent"] },
    { dnsNames: ["-ota"] },
    { dnsNames: ["ota..agent"] },
    { dnsNames: [""] },
    { dnsNames: ["a".repeat(64)] },
    { paths: { certificate: shop.path("same"), key: shop.path("same") } },
  ];
  for (const settings of wrong) {
    const action = () => issueLeaf({ paths: shop.pair("leaf"), authority, ...settings }, shop.world);
    assertEquals(await shop.refusal(action), "invalid-setting", JSON.stringify(settings));
  }
});

Deno.test("issueLeaf: what is no authority does not issue, and no key is shown", async () => {
  await using shop = await Workshop.open();
  const [authority, other, leaf] = [shop.pair("authority"), shop.pair("other"), shop.pair("leaf")];
  await initAuthority({ paths: authority }, shop.world);
  await initAuthority({ paths: other }, shop.world);
  await issueLeaf({ paths: leaf, authority }, shop.world);
  const rsa = await shop.put("deployed", await deployedServerPair());
  const key = await Deno.readTextFile(authority.key);
  const damaged = await shop.put("damaged", {
    certificate: await Deno.readTextFile(authority.certificate),
    key: key.replace(/\n[^-\n]{20}/, "\nAAAAAAAAAAAAAAAAAAAA"),
  });
  const cases: readonly (readonly [authority: PemPaths, code: CertsErrorCode])[] = [
    [leaf, "not-an-authority"],
    [{ ...authority, key: other.key }, "key-mismatch"],
    [{ ...authority, key: rsa.key }, "key-mismatch"],
    [{ ...rsa, key: authority.key }, "key-mismatch"],
    [{ ...authority, certificate: shop.path("none.crt") }, "unreadable"],
    [{ ...authority, key: shop.path("none.key") }, "unreadable"],
    [{ certificate: authority.key, key: authority.key }, "unreadable"],
    [{ certificate: authority.certificate, key: authority.certificate }, "unreadable"],
    [damaged, "unreadable"],
  ];
  for (const [issuer, code] of cases) {
    const error = await assertRejects(
      () => issueLeaf({ paths: shop.pair("new"), authority: issuer }, shop.world),
      CertsError,
    );
    assertEquals(error.code, code, error.message);
    const secret = key.split("\n")[1] ?? "";
    assert(!`${error.message} ${error.stack} ${String(error.cause)}`.includes(secret.slice(0, 16)));
  }
  assertEquals((await shop.files()).some((name) => name.startsWith("new")), false);
});
