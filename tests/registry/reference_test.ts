import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatReference, parseReference } from "../../src/registry/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";

const HEX = "0123456789abcdef".repeat(4);
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${HEX}${HEX}`;

Deno.test("parseReference: the four forms, Docker Hub's defaults, hosts of all kinds", () => {
  const table: readonly (readonly [string, string])[] = [
    // A name
    ["ubuntu", "docker.io/library/ubuntu:latest"],
    ["user/app", "docker.io/user/app:latest"],
    ["docker.io/user/app", "docker.io/user/app:latest"],
    ["index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"],
    ["registry-1.docker.io/library/ubuntu", "docker.io/library/ubuntu:latest"],
    ["harbor.example/iot/esp32/fw", "harbor.example/iot/esp32/fw:latest"],
    ["localhost/fw", "localhost/fw:latest"],
    ["registry:5000/fw", "registry:5000/fw:latest"],
    ["HARBOR.Example/fw", "harbor.example/fw:latest"],
    ["Registry:443/fw", "registry:443/fw:latest"],
    ["LOCALHOST/fw", "localhost/fw:latest"],
    ["127.0.0.1:5000/fw", "127.0.0.1:5000/fw:latest"],
    ["[::1]:5000/fw", "[::1]:5000/fw:latest"],
    ["[2001:db8::1]/fw", "[2001:db8::1]/fw:latest"],
    // one spelling of a registry, so that none gets around what is said of another
    ["harbor.example:0443/fw", "harbor.example:443/fw:latest"],
    ["10.0.0.5:05000/fw", "10.0.0.5:5000/fw:latest"],
    ["[0:0:0:0:0:0:0:1]:5000/fw", "[::1]:5000/fw:latest"],
    ["[2001:DB8:0::1]/fw", "[2001:db8::1]/fw:latest"],
    ["docker.io:443/ubuntu", "docker.io/library/ubuntu:latest"],
    ["Index.Docker.io:0443/user/app", "docker.io/user/app:latest"],
    // B name:tag
    ["ubuntu:22.04", "docker.io/library/ubuntu:22.04"],
    ["host.example:443/a/b:V1.0-rc_2", "host.example:443/a/b:V1.0-rc_2"],
    ["host.example/a__b/c---d.e_f:1", "host.example/a__b/c---d.e_f:1"],
    // C name@digest
    [`host.example/a@${SHA256}`, `host.example/a@${SHA256}`],
    [`host.example/a@${SHA512}`, `host.example/a@${SHA512}`],
    // D name:tag@digest
    [`host.example/a:1@${SHA256}`, `host.example/a:1@${SHA256}`],
    // prefixes
    ["oci://harbor.example/iot/fw:1", "harbor.example/iot/fw:1"],
    ["docker://ubuntu", "docker.io/library/ubuntu:latest"],
    ["https://harbor.example/iot/fw:1", "harbor.example/iot/fw:1"],
  ];
  for (const [text, full] of table) assertEquals(formatReference(parseReference(text)), full);
});

Deno.test("parseReference: what is wrong is named", () => {
  const table: readonly (readonly [string, string])[] = [
    ["", "it is empty"],
    ["oci://", "it is empty"],
    ["host.example/", "repository is missing"],
    ["host.example//a", "empty path component"],
    ["host.example/a/", "empty path component"],
    ["host.example/Upper", "'Upper': it must be lower case"],
    ["UPPER", "lower case"],
    ["host.example/a..b", "'a..b'"],
    ["host.example/-a", "'-a'"],
    ["host.example/a_", "'a_'"],
    ["host.example/../etc/passwd", "'..'"],
    ["host.example/a%2f", "'a%2f'"],
    ["host.example/a b", "'a b'"],
    ["host.example/a:", "the tag ''"],
    ["host.example/a:-x", "the tag '-x'"],
    ["host.example/a:b:c", "the tag 'b:c'"],
    ["host.example/a:../x", "the tag '../x'"],
    [`host.example/a:${"t".repeat(129)}`, "the tag"],
    ["host.example/a@", "in the digest"],
    ["host.example/a@latest", "sha256 or sha512"],
    [`host.example/a@sha256:${HEX.slice(1)}`, "64 lower-case hex digits"],
    [`host.example/a@sha256:${HEX.toUpperCase()}`, "64 lower-case hex digits"],
    [`host.example/a@md5:${HEX.slice(32)}`, "sha256 or sha512"],
    [`host.example/a@${SHA256}@${SHA256}`, "in the digest"],
    ["host.example:0/a", "port"],
    ["host.example:99999/a", "port"],
    ["host.example:x/a", "HOST[:PORT]"],
    ["-host.example/a", "HOST[:PORT]"],
    ["user@host.example/a", "user name or password"],
    ["[::g]/a", "HOST[:PORT]"],
    ["[1:2]/a", "IPv6"],
    ["10.5:5000/a", "'10.5' is the address 10.0.0.5"],
    ["012.1.1.1/a", "'012.1.1.1' is the address 10.1.1.1"],
    ["0x7f.1/a", "the address 127.0.0.1"],
    ["2130706433:80/a", "the address 127.0.0.1"],
    ["1.2.3.256/a", "'1.2.3.256' is not a host name or IPv4 address"],
    ["HARBOR/acme/fw", "'HARBOR' is a single word and needs its port, as in 'harbor:443'"],
    ["https://harbor/acme/fw", "'harbor' is a single word and needs its port"],
    [HEX, "64 hex digits"],
    ["http://host.example/a", "--plain-http"],
    [`host.example/${"a".repeat(250)}`, "longer than 255"],
    ["a".repeat(700), "700 characters"],
  ];
  for (const [text, found] of table) {
    const error = assertThrows(() => parseReference(text), RegistryError);
    assertEquals(error.code, "bad-reference");
    assertStringIncludes(error.message, found);
    assert(error.message.length < 800);
  }
});

Deno.test("parseReference: any text is read or refused, and what is read is read again from its full form", () => {
  const pieces = fc.constantFrom(
    "a",
    "b1",
    "/",
    ":",
    "@",
    ".",
    "-",
    "_",
    "[",
    "]",
    "::1",
    "A",
    " ",
    "localhost",
    "10.5",
    ":0443",
    "[0::1]",
    SHA256,
    "ü",
    "%",
    "?",
    "#",
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (given) => {
      let full: string;
      try {
        full = formatReference(parseReference(given));
      } catch (error) {
        assertInstanceOf(error, RegistryError);
        return;
      }
      assertEquals(formatReference(parseReference(full)), full);
      // what was read may stand in a URL without changing its meaning
      const { registry, repository } = parseReference(full);
      const port = /:\d+$/.exec(registry)?.[0] ?? "";
      assertEquals(new URL(`https://${registry}/`).hostname + port, registry);
      assertEquals(
        new URL(`https://h/v2/${repository}/manifests/x`).pathname,
        `/v2/${repository}/manifests/x`,
      );
    }),
    { seed: 20261, numRuns: 2000 },
  );
});
