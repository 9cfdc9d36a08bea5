import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { addHeader, answer, hugeBody, setHeaders } from "../lab/registry_fault.ts";
import type { RegistryOptions } from "../lab/registry.ts";
import type { TokenIssuerOptions } from "../lab/registry_token_issuer.ts";
import { type AttackCase, type Bench, requestsOf, ROBOT, warnings } from "./attack_bench.ts";

const CREDENTIALS = { credentials: ROBOT };
const BASIC: RegistryOptions = { auth: { kind: "basic", user: ROBOT.username, password: ROBOT.password } };
const always = () => true;

function tokens(options: TokenIssuerOptions = {}): RegistryOptions {
  return { auth: { kind: "token", tokens: { users: { [ROBOT.username]: ROBOT.password }, ...options } } };
}

/** Settings with one entry of a docker config for the registry. */
function withEntry(entry: Readonly<Record<string, string>>): NonNullable<AttackCase["settings"]> {
  return ({ registry }) => ({
    environment: { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: entry } }) },
  });
}

const tokenRequests = (bench: Bench) => bench.registry.tokenServer?.requests ?? [];

/** Attacks on credentials: whoever wants to be shown what it may not see. */
export const ATTACKS_ON_CREDENTIALS: readonly AttackCase[] = [
  {
    name: "credentials are shown only after a challenge",
    settings: CREDENTIALS,
    expected: "success",
    check: (bench) => assertEquals(requestsOf(bench, ({ headers }) => headers.has("authorization")), []),
  },
  {
    name: "with tokens, the password goes to the token server and never to the registry",
    registry: tokens(),
    settings: CREDENTIALS,
    expected: "success",
    check(bench) {
      const shown = bench.registry.requests.map(({ headers }) => headers.get("authorization")).filter((one) =>
        one !== null
      );
      assertEquals(shown.every((one) => one.startsWith("Bearer ")), true);
      assertEquals(tokenRequests(bench).length, 1);
    },
  },
  ...["one header", "two headers"].map((place): AttackCase => ({
    name: `Bearer is chosen where Basic is offered too, in ${place}`,
    registry: tokens(),
    settings: CREDENTIALS,
    arrange({ fault, registry }) {
      const refusals: Parameters<typeof fault>[0] = (_request, reply) => reply.status === 401;
      const bearer = `Bearer realm="${registry.tokenServer?.realm}",service="lab-registry"`;
      const isOne = place === "one header";
      fault(
        refusals,
        setHeaders({ "WWW-Authenticate": isOne ? `Basic realm="r", ${bearer}` : 'Basic realm="r"' }),
      );
      if (!isOne) fault(refusals, addHeader("WWW-Authenticate", bearer));
    },
    expected: "success",
    check(bench) {
      const proofs = requestsOf(bench, ({ headers }) => headers.has("authorization"));
      assert(proofs.length > 0);
      assertEquals(proofs.filter(({ headers }) => !/^bearer /i.test(headers.get("authorization") ?? "")), []);
    },
  })),
  {
    name: "a challenge of an unknown scheme is a refusal",
    settings: CREDENTIALS,
    arrange: ({ fault }) => fault(always, answer(401, { "WWW-Authenticate": "Negotiate" })),
    expected: "auth-refused",
    check: (bench) => assertEquals(requestsOf(bench, ({ headers }) => headers.has("authorization")), []),
  },
  {
    name: "a refusal without a challenge is answered with that of /v2/",
    registry: BASIC,
    settings: CREDENTIALS,
    arrange: ({ fault }) =>
      fault(
        ({ path }, reply) => reply.status === 401 && path !== "/v2/",
        setHeaders({ "WWW-Authenticate": null }),
      ),
    expected: "success",
  },
  {
    name: "refusals for ever end after a few requests",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: ({ fault, registry }) =>
      fault(
        ({ path }) => path.startsWith("/v2/iot"),
        answer(401, {
          "WWW-Authenticate": `Bearer realm="${registry.tokenServer?.realm}",service="lab-registry"`,
        }),
      ),
    expected: "auth-refused",
    check: (bench) => assert(bench.registry.requests.length <= 5),
  },
  {
    name: "an endless refusal is not read to its end",
    arrange({ fault }) {
      fault(always, answer(401, {}, "x"));
      fault(always, hugeBody(1024 ** 3));
    },
    expected: "auth-refused",
  },
  {
    name: "Basic with the wrong password ends without a third try",
    registry: BASIC,
    settings: { credentials: { ...ROBOT, password: "wrong" } },
    expected: "auth-refused",
    check: (bench) => assertEquals(bench.registry.requests.length, 3),
  },
  {
    name: "refused credentials do not keep us from a public image",
    registry: tokens({ anonymous: "pull" }),
    settings: { credentials: { ...ROBOT, password: "wrong" } },
    expected: "success",
    check: (bench) => assertStringIncludes(warnings(bench).join(), "were refused, trying without"),
  },
  {
    name: "credentials without rights do not keep us from a public image",
    registry: tokens({ anonymous: "pull", mayUse: (user) => user === undefined }),
    settings: CREDENTIALS,
    expected: "success",
    check: (bench) => assertStringIncludes(warnings(bench).join(), "were refused, trying without"),
  },
  {
    name: "an identity token is exchanged by POST",
    registry: tokens({ identityTokens: { "identity-secret": ROBOT.username } }),
    settings: withEntry({ identitytoken: "identity-secret" }),
    expected: "success",
    check(bench) {
      assertEquals(tokenRequests(bench).map(({ method }) => method), ["POST"]);
      assertEquals(tokenRequests(bench)[0]?.headers.get("authorization"), null);
    },
  },
  ...[400, 401, 404, 405].map((postStatus): AttackCase => ({
    name: `an identity token where POST gives ${postStatus} goes by GET`,
    registry: tokens({ postStatus, users: { "<token>": "identity-secret" } }),
    settings: withEntry({ identitytoken: "identity-secret" }),
    expected: "success",
    check: (bench) => assertEquals(tokenRequests(bench).map(({ method }) => method), ["POST", "GET"]),
  })),
  {
    name: "a registry token is shown as it is",
    arrange({ fault }) {
      fault(
        ({ headers }) => headers.get("authorization") !== "Bearer identity-secret",
        answer(401, { "WWW-Authenticate": 'Bearer realm="https://auth.example/token"' }),
      );
    },
    settings: withEntry({ registrytoken: "identity-secret" }),
    expected: "success",
  },
  {
    name: "a token comes as access_token too",
    registry: tokens({ field: "access_token" }),
    settings: CREDENTIALS,
    expected: "success",
  },
  {
    name: "the longest path in a credentials file decides",
    registry: tokens(),
    settings: ({ registry }) => ({
      environment: {
        DOCKER_AUTH_CONFIG: JSON.stringify({
          auths: {
            [registry.host]: { username: "host", password: "x" },
            [`${registry.host}/iot`]: ROBOT,
            [`${registry.host}/io`]: { username: "other", password: "x" },
          },
        }),
      },
    }),
    expected: "success",
    check({ world, registry }) {
      assertMatch(
        world.lines.map(({ message }) => message).join(),
        new RegExp(`credentials of '${registry.host}/iot'`),
      );
    },
  },
];
