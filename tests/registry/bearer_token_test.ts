import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseChallenges } from "../../src/registry/auth_challenge.ts";
import { parseTokenAnswer, refreshBody, tokenQuestion, tokenUrl } from "../../src/registry/bearer_token.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const SERVER = new URL("https://auth.example/token");
const REGISTRY = new URL("https://registry.example/");

function questionOf(header: string, repository: string | undefined = "iot/fw") {
  const [challenge] = parseChallenges(header);
  return tokenQuestion(REGISTRY, challenge ?? { scheme: "", parameters: new Map() }, repository);
}

Deno.test("tokenUrl: service, scopes and account beside the realm's own query", () => {
  const question = questionOf(
    'Bearer realm="https://auth.example/token?tenant=a b",service="reg",scope="repository:iot/fw:pull"',
  );
  assertEquals(
    tokenUrl(question, "robot$x").href,
    "https://auth.example/token?tenant=a+b&service=reg&scope=repository%3Aiot%2Ffw%3Apull&account=robot%24x",
  );
});

Deno.test("tokenQuestion: the challenged scope first, reading only, each once", () => {
  const table: readonly (readonly [string, string | undefined, readonly string[]])[] = [
    ["", "iot/fw", ["repository:iot/fw:pull"]],
    [',scope="repository:iot/fw:pull"', "iot/fw", ["repository:iot/fw:pull"]],
    [',scope="repository:iot/fw:pull,push,delete"', "iot/fw", ["repository:iot/fw:pull"]],
    [',scope="repository:iot/fw:*"', "iot/fw", ["repository:iot/fw:pull"]],
    [',scope="aws"', "iot/fw", ["aws", "repository:iot/fw:pull"]],
    [',scope="repository:x/y:pull repository:iot/fw:pull"', "iot/fw", [
      "repository:x/y:pull",
      "repository:iot/fw:pull",
    ]],
    [',scope="repository:x/y:pull"', undefined, ["repository:x/y:pull"]],
  ];
  for (const [scope, repository, expected] of table) {
    const [challenge] = parseChallenges(`Bearer realm="https://auth.example/token"${scope}`);
    assertEquals(
      tokenQuestion(REGISTRY, challenge ?? { scheme: "", parameters: new Map() }, repository).scopes,
      [...expected],
    );
  }
});

Deno.test("refreshBody: the grant of distribution's OAuth2", () => {
  const body = new URLSearchParams(
    refreshBody(questionOf('Bearer realm="https://auth.example/token",service="s"'), "r&t"),
  );
  assertEquals(Object.fromEntries(body), {
    grant_type: "refresh_token",
    client_id: "flashjob",
    service: "s",
    scope: "repository:iot/fw:pull",
    refresh_token: "r&t",
  });
});

Deno.test("parseTokenAnswer: lifetime, issue time, skewed clocks", () => {
  const at = (offset: number) => new Date(NOW + offset * 1000).toISOString();
  const table: readonly (readonly [Readonly<Record<string, unknown>>, number])[] = [
    [{ expires_in: 300 }, 270],
    [{ expires_in: 3600 }, 3570],
    [{ expires_in: 10 }, 9],
    [{}, 54],
    [{ expires_in: 0 }, 54],
    [{ expires_in: -1 }, 54],
    [{ expires_in: null }, 54],
    [{ expires_in: "300" }, 54],
    [{ expires_in: 1e12 }, 86_370],
    // issued a while ago
    [{ expires_in: 300, issued_at: at(-100) }, 170],
    // from the future, or dead on arrival: the clocks differ
    [{ expires_in: 300, issued_at: at(500) }, 270],
    [{ expires_in: 300, issued_at: at(-500) }, 270],
    [{ expires_in: 300, issued_at: "yesterday" }, 270],
    [{ expires_in: 300, issued_at: 7 }, 270],
  ];
  for (const [fields, seconds] of table) {
    const { renewAt } = parseTokenAnswer(JSON.stringify({ token: "t", ...fields }), SERVER, NOW);
    assertEquals((renewAt - NOW) / 1000, seconds, JSON.stringify(fields));
  }
});

Deno.test("parseTokenAnswer: token or access_token, fit for a header", () => {
  assertEquals(parseTokenAnswer('{"access_token":"a"}', SERVER, NOW).value, "a");
  assertEquals(parseTokenAnswer('{"token":"t","access_token":"a"}', SERVER, NOW).value, "t");
  assertEquals(parseTokenAnswer('{"token":"","access_token":"a"}', SERVER, NOW).value, "a");
  for (
    const text of [
      "",
      "hunter2",
      "[]",
      "{}",
      "null",
      '{"token":""}',
      '{"token":"a b"}',
      '{"token":"a\\r\\nX: hunter2"}',
      '{"token":["hunter2"]}',
      '{"token":"ü"}',
    ]
  ) {
    const error = assertThrows(() => parseTokenAnswer(text, SERVER, NOW), RegistryError);
    assertEquals([error.code, error.message.includes("hunter2")], ["invalid-document", false]);
  }
});

Deno.test("parseTokenAnswer: a token is always renewed between now and a day from now", () => {
  const number = fc.oneof(fc.double(), fc.integer(), fc.constant(null));
  fc.assert(
    fc.property(
      number,
      fc.oneof(fc.date({ noInvalidDate: true }).map((date) => date.toISOString()), fc.string()),
      (expires_in, issued_at) => {
        const { renewAt } = parseTokenAnswer(
          JSON.stringify({ token: "t", expires_in, issued_at }),
          SERVER,
          NOW,
        );
        assertEquals(renewAt > NOW - 30_000 && renewAt <= NOW + 86_400_000, true);
      },
    ),
    { seed: 20267, numRuns: 500 },
  );
});
