import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { isUnder, prefixFault, repositoryName } from "../../src/signature/repository_name.ts";

const NAMES = [
  ["alpine", "docker.io/library/alpine"],
  ["alpine:3", "docker.io/library/alpine"],
  ["acme/fw", "docker.io/acme/fw"],
  ["acme/fw:1", "docker.io/acme/fw"],
  ["index.docker.io/library/alpine", "docker.io/library/alpine"],
  ["registry-1.docker.io/alpine", "docker.io/library/alpine"],
  ["ghcr.io/acme/fw", "ghcr.io/acme/fw"],
  ["GHCR.io/Acme/fw", "ghcr.io/Acme/fw"],
  ["ghcr.io/acme/fw:v1", "ghcr.io/acme/fw"],
  ["ghcr.io/acme/fw@sha256:00", "ghcr.io/acme/fw"],
  ["ghcr.io/acme/fw:v1@sha256:00", "ghcr.io/acme/fw"],
  ["ghcr.io:443/acme/fw:v1", "ghcr.io/acme/fw"],
  ["harbor:443/fw", "harbor:443/fw"],
  ["localhost/fw", "localhost/fw"],
  ["127.0.0.1:5000/fw", "127.0.0.1:5000/fw"],
  ["[::1]:5000/fw:2", "[::1]:5000/fw"],
  ["ghcr.io:0443/acme/fw:v1", "ghcr.io/acme/fw"],
  ["ghcr.io:80/acme/fw:v1", "ghcr.io/acme/fw"],
  ["harbor:0443/fw", "harbor:443/fw"],
  ["localhost:80/fw", "localhost/fw"],
  ["10.0.0.5:05000/fw", "10.0.0.5:5000/fw"],
  ["10.5:5000/fw", "10.0.0.5:5000/fw"],
  ["[0:0:0:0:0:0:0:1]:5000/fw", "[::1]:5000/fw"],
  ["registry-1.docker.io:0443/alpine", "docker.io/library/alpine"],
  // not a registry's name, though a URL parser would find one in it
  ["ghcr.io#x/acme/fw", "ghcr.io#x/acme/fw"],
] as const;

for (const [reference, name] of NAMES) {
  Deno.test(`repositoryName: ${reference} -> ${name}`, () => assertEquals(repositoryName(reference), name));
}

const PREFIXES = [
  ["ghcr.io/acme/fw", "ghcr.io/acme", true],
  ["ghcr.io/acme/fw", "ghcr.io", true],
  ["ghcr.io/acme/fw", "ghcr.io/acme/fw", true],
  ["ghcr.io/acme/fw", "ghcr.io/acm", false],
  ["ghcr.io/acme/fw", "ghcr.io/acme/fw/more", false],
  ["ghcr.io/acme/fw", "acme", false],
  ["ghcr.io/acme/fw", "", false],
  ["docker.io/library/alpine", "docker.io/library", true],
  ["ghcr.io/acme/fw", "*", true],
] as const;

for (const [repository, prefix, under] of PREFIXES) {
  Deno.test(`isUnder: ${repository} is ${under ? "" : "not "}under '${prefix}'`, () => {
    assertEquals(isUnder(repository, prefix), under);
  });
}

const GOOD_PREFIXES = [
  "*",
  "ghcr.io",
  "ghcr.io/acme/fw__x/a-b",
  "docker.io/acme",
  "localhost/fw",
  "harbor:5000",
  "harbor:443/fw",
  "127.0.0.1:5000/fw",
  "[::1]:5000/fw",
];

for (const prefix of GOOD_PREFIXES) {
  Deno.test(`prefixFault: none in '${prefix}'`, () => assertEquals(prefixFault(prefix), undefined));
}

const FORMS = [
  ["index.docker.io/acme", "docker.io/acme"],
  ["registry-1.docker.io", "docker.io"],
  ["GHCR.io/Acme", "ghcr.io/acme"],
  ["https://ghcr.io/acme", "ghcr.io/acme"],
  ["oci://ghcr.io", "ghcr.io"],
  ["ghcr.io/acme/", "ghcr.io/acme"],
  ["ghcr.io/acme/*", "ghcr.io/acme"],
  ["ghcr.io/acme/**", "ghcr.io/acme"],
  ["ghcr.io/acme/fw:v1", "ghcr.io/acme/fw"],
  ["ghcr.io/acme/fw@sha256:00", "ghcr.io/acme/fw"],
  ["ghcr.io:443/acme/fw:v1", "ghcr.io/acme/fw"],
  ["ghcr.io:0443/acme", "ghcr.io/acme"],
  ["ghcr.io:80/acme", "ghcr.io/acme"],
  ["10.0.0.5:05000/acme", "10.0.0.5:5000/acme"],
  ["10.5/acme", "10.0.0.5/acme"],
  ["[0:0:0:0:0:0:0:1]:5000/acme", "[::1]:5000/acme"],
  [" ghcr.io", "ghcr.io"],
  ["acme/fw", "docker.io/acme/fw"],
] as const;

for (const [prefix, form] of FORMS) {
  Deno.test(`prefixFault: '${prefix}' is told to be '${form}'`, () => {
    assertEquals(prefixFault(prefix), `wanted '${form}'`);
    assertEquals(prefixFault(form), undefined);
  });
}

for (
  const prefix of [
    "",
    "/",
    "acme",
    "ghcr.io//acme",
    "ghcr.io/a b",
    "*.ghcr.io/acme",
    "**",
    "fw:v1",
    "-/x",
    "1.2.3.256/acme",
  ]
) {
  Deno.test(`prefixFault: '${prefix}' leads to no repository`, () => {
    assertStringIncludes(prefixFault(prefix) ?? "no fault", "REGISTRY[:PORT][/PATH]");
  });
}

Deno.test("prefixFault: the form it names is never a fault itself, and what lies under it is found", () => {
  const part = fc.constantFrom(
    "a",
    "B",
    ".",
    "..",
    ":",
    "443",
    "080",
    "10.5",
    "/",
    "//",
    "*",
    "@",
    "-",
    "_",
    " ",
    "docker.io",
    "[::1]",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }).map((parts) => parts.join("")), (prefix) => {
      const [, form = prefix] = /^wanted '([^*]+)'$/.exec(prefixFault(prefix) ?? "") ?? [];
      if (form === prefix && prefixFault(prefix) !== undefined) return;
      assertEquals(prefixFault(form), undefined);
      assertEquals(isUnder(repositoryName(`${form === "*" ? "ghcr.io" : form}/x/fw:1`), form), true);
    }),
    { seed: 20260303, numRuns: 5000 },
  );
});
