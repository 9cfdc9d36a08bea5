import { assertEquals, assertThrows } from "@std/assert";
import { algorithmOf, digestOf, hexOf, isDigest, parseDigest } from "../../src/registry/digest.ts";

const HEX = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("digestOf: the digest of 'abc' with both algorithms", () => {
  const abc = new TextEncoder().encode("abc");
  assertEquals<string>(digestOf(abc), `sha256:${HEX}`);
  const long = digestOf(abc, "sha512");
  assertEquals([algorithmOf(long), hexOf(long).length, hexOf(long).slice(0, 8)], ["sha512", 128, "ddaf35a1"]);
});

Deno.test("parseDigest: refuses everything but the canonical form", () => {
  for (
    const text of [
      "",
      HEX,
      `sha256:${HEX.toUpperCase()}`,
      `SHA256:${HEX}`,
      `sha256:${HEX}0`,
      `sha256:${HEX.slice(1)}`,
      `sha256:${HEX}\n`,
      ` sha256:${HEX}`,
      `sha512:${HEX}`,
      `sha1:${HEX.slice(0, 40)}`,
      `sha256:../../${HEX.slice(6)}`,
      `sha256+b64:${HEX}`,
      `sha256:${HEX.slice(0, 63)}/`,
    ]
  ) {
    assertEquals(isDigest(text), false, text);
    assertThrows(() => parseDigest(text), SyntaxError);
  }
});
