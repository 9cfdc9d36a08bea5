import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseChallenges, supportedChallenges } from "../../src/registry/auth_challenge.ts";

type Plain = readonly [string, Readonly<Record<string, string>>];

function plain(header: string | null): Plain[] {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

const BEARER: Plain = ["bearer", { realm: "https://auth.example/token", service: "reg" }];
const BASIC: Plain = ["basic", { realm: "r" }];
const BEARER_TEXT = 'Bearer realm="https://auth.example/token",service="reg"';

Deno.test("parseChallenges: every form the grammar allows", () => {
  const table: readonly (readonly [string | null, readonly Plain[]])[] = [
    [null, []],
    ["", []],
    [" , ,", []],
    [BEARER_TEXT, [BEARER]],
    ['bEARER REALM="https://auth.example/token",Service=reg', [BEARER]],
    ['Bearer realm = "https://auth.example/token" ,\tservice\t=\t"reg"', [BEARER]],
    // several challenges in one value, which is what fetch makes of several headers
    [`${BEARER_TEXT}, Basic realm="r"`, [BEARER, BASIC]],
    [`Basic realm="r", ${BEARER_TEXT}`, [BASIC, BEARER]],
    [`Basic realm="r",${BEARER_TEXT},`, [BASIC, BEARER]],
    ["Negotiate, Basic realm=r", [["negotiate", {}], BASIC]],
    ["Negotiate YWJj==, Basic realm=r", [["negotiate", {}], BASIC]],
    ["Negotiate YWJj=, Basic realm=r", [["negotiate", {}], BASIC]],
    // quoted commas, escapes, empty values
    ['Bearer realm="a, Basic realm=b",scope="repository:x:pull,push"', [
      ["bearer", { realm: "a, Basic realm=b", scope: "repository:x:pull,push" }],
    ]],
    ['Basic realm="say \\"hi\\", \\\\ok"', [["basic", { realm: 'say "hi", \\ok' }]]],
    ['Bearer realm="",service=""', [["bearer", { realm: "", service: "" }]]],
    ["Basic", [["basic", {}]]],
    // the first of equal names counts
    ['Basic realm="r",realm="s"', [BASIC]],
    // what does not follow the grammar ends the reading
    ['Basic realm="r", Bearer realm="unclosed', [BASIC, ["bearer", {}]]],
    ["=broken", []],
    ['Basic realm="r" junk', [["basic", {}]]],
  ];
  for (const [header, expected] of table) assertEquals(plain(header), [...expected], String(header));
});

Deno.test("supportedChallenges: Bearer before Basic, others not at all", () => {
  const all = parseChallenges(`Digest realm="d", Basic realm="r", ${BEARER_TEXT}`);
  assertEquals(supportedChallenges(all).map(({ scheme }) => scheme), ["bearer", "basic"]);
});

Deno.test("parseChallenges: a header longer than servers may send is not read", () => {
  assertEquals(parseChallenges(`Basic realm="${"x".repeat(20_000)}"`), []);
});

Deno.test("parseChallenges: what was written is read, in any layout", () => {
  const name = fc.constantFrom("realm", "service", "scope", "error");
  const value = fc.string({
    unit: fc.constantFrom("a", "B", "1", " ", ",", "=", '"', "\\", "/", ":", "?"),
    maxLength: 12,
  });
  const parameters = fc.dictionary(name, value, { minKeys: 1, maxKeys: 4 });
  const challenge = fc.tuple(fc.constantFrom("Bearer", "basic", "DIGEST"), parameters);
  const gap = fc.constantFrom(",", ", ", " , ", ",,", "\t,");
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 4 }), gap, (challenges, comma) => {
      const header = challenges.map(([scheme, pairs]) =>
        `${scheme} ${
          Object.entries(pairs).map(([key, text]) => `${key}="${text.replace(/["\\]/g, "\\$&")}"`).join(comma)
        }`
      ).join(comma);
      assertEquals(
        plain(header),
        challenges.map(([scheme, pairs]): Plain => [scheme.toLowerCase(), { ...pairs }]),
      );
    }),
    { seed: 20262, numRuns: 500 },
  );
});

Deno.test("parseChallenges: any text is read in linear time", () => {
  const piece = fc.constantFrom("Bearer", " ", ",", "=", '"', "\\", "a", "realm=", "\t", "ü", "==");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 200 }), (pieces, times) => {
      const header = pieces.join("").repeat(times).slice(0, 16_000);
      assert(parseChallenges(header).length <= header.length);
    }),
    { seed: 20263, numRuns: 200 },
  );
});
