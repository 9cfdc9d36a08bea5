import { assertEquals } from "@std/assert";
import { isUnder, repositoryName } from "../../src/signature/repository_name.ts";

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
  ["localhost/fw", "localhost/fw"],
  ["127.0.0.1:5000/fw", "127.0.0.1:5000/fw"],
  ["[::1]:5000/fw:2", "[::1]:5000/fw"],
] as const;

for (const [reference, name] of NAMES) {
  Deno.test(`repositoryName: ${reference} -> ${name}`, () => assertEquals(repositoryName(reference), name));
}

const PREFIXES = [
  ["ghcr.io/acme/fw", "ghcr.io/acme", true],
  ["ghcr.io/acme/fw", "ghcr.io/acme/", true],
  ["ghcr.io/acme/fw", "GHCR.io", true],
  ["ghcr.io/acme/fw", "ghcr.io/acme/fw", true],
  ["ghcr.io/acme/fw", "ghcr.io/acm", false],
  ["ghcr.io/acme/fw", "ghcr.io/acme/fw/more", false],
  ["ghcr.io/acme/fw", "acme", false],
  ["ghcr.io/acme/fw", "", false],
  ["docker.io/library/alpine", "index.docker.io/library", true],
  ["ghcr.io/acme/fw", "*", true],
] as const;

for (const [repository, prefix, under] of PREFIXES) {
  Deno.test(`isUnder: ${repository} is ${under ? "" : "not "}under '${prefix}'`, () => {
    assertEquals(isUnder(repository, prefix), under);
  });
}
