import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TOKEN_ANSWER_LIMIT } from "../../src/registry/bearer_token.ts";
import { ERROR_BODY_LIMIT } from "../../src/registry/failed_answer.ts";
import { answer, changeBody, drop, hugeBody, redirect, setHeaders, stall } from "../lab/registry_fault.ts";
import type { RegistryOptions } from "../lab/registry.ts";
import type { TokenIssuerOptions } from "../lab/registry_token_issuer.ts";
import {
  type AttackCase,
  type Bench,
  configRequests,
  layerRequests,
  requestsOf,
  ROBOT,
} from "./attack_bench.ts";

const CREDENTIALS = { credentials: ROBOT };
const always = () => true;

function tokens(options: TokenIssuerOptions = {}): RegistryOptions {
  return { auth: { kind: "token", tokens: { users: { [ROBOT.username]: ROBOT.password }, ...options } } };
}

const tokenRequests = (bench: Bench) => bench.registry.tokenServer?.requests ?? [];

/** Puts a fault in force at the token server. */
function faultTokens(
  action: Parameters<Bench["fault"]>[1],
  times?: number,
): NonNullable<AttackCase["arrange"]> {
  return ({ registry }) =>
    void registry.tokenServer?.fault({ match: always, action, ...(times === undefined ? {} : { times }) });
}

/** Attacks and faults of token servers. */
export const ATTACKS_ON_TOKENS: readonly AttackCase[] = [
  {
    name: "a token that is revoked in the middle is replaced",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: ({ fault, registry }) =>
      fault(configRequests, (reply) => {
        registry.issuer?.revoke();
        return reply;
      }, { times: 1 }),
    expected: "success",
    check: ({ registry }) => assertEquals(registry.issuer?.issued.length, 2),
  },
  {
    name: "a renewed token that is cut in its middle is asked for again, by the right name",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange({ fault, registry }) {
      fault(configRequests, (reply) => {
        registry.issuer?.revoke();
        return reply;
      }, { times: 1 });
      registry.tokenServer?.fault({ match: always, action: drop(20), skip: 1, times: 1 });
    },
    expected: "success",
    check({ registry, world }) {
      const retried = world.lines.filter(({ message }) => message.includes("trying again"));
      assertEquals(retried.length, 1);
      assertStringIncludes(retried[0]?.message ?? "", `'${registry.tokenServer?.realm}'`);
    },
  },
  {
    name: "a token that ends during the pull is renewed before it is refused",
    registry: tokens({
      lifetimeSeconds: 300,
      edit: (document) => ({ ...document, expires_in: 1, issued_at: undefined }),
    }),
    settings: { ...CREDENTIALS, idleTimeout: 20_000 },
    // a second of the client's time is a hundredth of a real one
    arrange: ({ fault }) => fault(layerRequests, stall(10), { times: 1 }),
    expected: "success",
    check(bench) {
      assert((bench.registry.issuer?.issued.length ?? 0) >= 2);
      const refused = requestsOf(
        bench,
        ({ status, headers }) => status === 401 && headers.has("authorization"),
      );
      assertEquals(refused, []);
    },
  },
  {
    name: "a token that lives shorter than it says is replaced",
    registry: tokens({ edit: (document) => ({ ...document, expires_in: 3600 }) }),
    settings: CREDENTIALS,
    arrange: ({ fault, registry }) =>
      fault(({ path }) => path.includes("/blobs/"), (reply) => {
        registry.issuer?.revoke();
        return reply;
      }, { times: 1 }),
    expected: "success",
  },
  {
    name: "400 that blames the token renews it, as public ECR wants",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: ({ fault }) =>
      fault(
        layerRequests,
        answer(400, {}, '{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid"}]}'),
        { times: 1 },
      ),
    expected: "success",
    check: ({ registry }) => assertEquals(registry.issuer?.issued.length, 2),
  },
  {
    name: "another 400 is not asked again",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: ({ fault }) => fault(layerRequests, answer(400, {}, '{"errors":[{"code":"UNSUPPORTED"}]}')),
    expected: "registry-failure",
    check: ({ registry }) => assertEquals(registry.issuer?.issued.length, 1),
  },
  {
    name: "a token server that fails once is asked again",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(answer(503), 1),
    expected: "success",
  },
  {
    name: "a token server that fails for ever is the registry's failure",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(answer(503)),
    expected: "registry-failure",
    check: (bench) => assertEquals(tokenRequests(bench).length, 5),
  },
  {
    name: "a token server that is silent is unreachable",
    registry: tokens(),
    settings: { ...CREDENTIALS, idleTimeout: 10_000 },
    arrange: faultTokens(stall()),
    expected: "unreachable",
  },
  {
    name: "an endless token is left",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(hugeBody(1024 ** 3)),
    expected: "limit",
    check: (bench) => assert((tokenRequests(bench)[0]?.bodyBytesSent ?? 0) < 64 * 1024 * 1024),
  },
  ...([[TOKEN_ANSWER_LIMIT, "success"], [TOKEN_ANSWER_LIMIT + 1, "limit"]] as const).map((
    [length, expected],
  ): AttackCase => ({
    name: `a token answer of ${length} bytes: ${expected}`,
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(
      changeBody((body) => new TextEncoder().encode(new TextDecoder().decode(body).padEnd(length))),
    ),
    expected,
    check: (bench) => assertEquals(tokenRequests(bench).map(({ bodyBytesSent }) => bodyBytesSent), [length]),
  })),
  ...[ERROR_BODY_LIMIT, ERROR_BODY_LIMIT + 1].map((length): AttackCase => ({
    name: `a token server's passing failure with a body of ${length} bytes is asked past`,
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(answer(503, {}, '{"details":"in a moment"}'.padEnd(length)), 1),
    expected: "success",
    check({ world }) {
      const said = world.lines.filter(({ message }) => message.includes("503 (in a moment)"));
      assertEquals(said.length, length > ERROR_BODY_LIMIT ? 0 : 1);
    },
  })),
  ...[
    ["a page in place of a token", "<html>"],
    ["a token that is two header lines", '{"token":"a\\r\\nX-Evil: 1"}'],
    ["a token that is none", '{"token":null}'],
  ].map(([name, body]): AttackCase => ({
    name: `${name} is refused`,
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(answer(200, {}, body)),
    expected: "invalid-document",
  })),
  {
    name: "a token server that redirects elsewhere is not followed",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: ({ registry, elsewhere }) =>
      void registry.tokenServer?.fault({ match: always, action: redirect(`${elsewhere.origin}/token`) }),
    expected: "policy",
    check: ({ elsewhere }) => assertEquals(elsewhere.connections, 0),
  },
  {
    name: "a token server that redirects in circles is left",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: faultTokens(redirect("/token")),
    expected: "policy",
    check: (bench) => assert(tokenRequests(bench).length <= 5),
  },
  ...[
    "http://169.254.169.254/token",
    "http://user:x@127.0.0.1/token",
    "file:///etc/passwd",
    "",
    "http://[fe80::1]/token",
  ].map((
    realm,
  ): AttackCase => ({
    name: `the realm '${realm}' is not asked`,
    registry: { auth: { kind: "token", realm, place: "own-origin" } },
    settings: CREDENTIALS,
    expected: "policy",
    check: ({ registry }) => assertEquals(registry.requests.length, 1),
  })),
  {
    name: "a relative realm is the registry's own",
    registry: { auth: { kind: "token", realm: "/token", place: "own-origin", tokens: {} } },
    expected: "success",
  },
  {
    name: "the right to push is never asked for",
    registry: tokens(),
    settings: CREDENTIALS,
    arrange: ({ fault, registry }) =>
      fault(
        (_request, reply) => reply.status === 401,
        setHeaders({
          "WWW-Authenticate":
            `Bearer realm="${registry.tokenServer?.realm}",service="lab-registry",scope="repository:iot/fw:pull,push,delete"`,
        }),
      ),
    expected: "success",
    check: (bench) =>
      assertEquals(tokenRequests(bench).map(({ query }) => query.getAll("scope")), [[
        "repository:iot/fw:pull",
      ]]),
  },
];
