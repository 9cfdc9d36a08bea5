import { assertEquals, assertMatch } from "@std/assert";
import type { TokenIssuerOptions } from "./registry_token_issuer.ts";
import { startTokenServer, type TokenServer } from "./token_server.ts";

const SCOPE = "repository:team/app:pull";
const KNOWN: TokenIssuerOptions = { users: { robot: "secret" }, identityTokens: { "identity-1": "robot" } };

interface TokenAnswer {
  readonly status: number;
  readonly token?: string;
  readonly access_token?: string;
  readonly refresh_token?: string;
  readonly expires_in?: number;
  readonly issued_at?: string;
}

async function answerOf(response: Response): Promise<TokenAnswer> {
  return { status: response.status, ...await response.json() };
}

async function getToken(server: TokenServer, query: string, credentials?: string): Promise<TokenAnswer> {
  const headers: Record<string, string> = credentials === undefined
    ? {}
    : { authorization: `Basic ${btoa(credentials)}` };
  return await answerOf(await fetch(`${server.realm}?${query}`, { headers }));
}

async function postToken(server: TokenServer, form: Record<string, string>): Promise<TokenAnswer> {
  return await answerOf(await fetch(server.realm, { method: "POST", body: new URLSearchParams(form) }));
}

const REFRESH = {
  grant_type: "refresh_token",
  service: "lab-registry",
  client_id: "test",
  scope: SCOPE,
  refresh_token: "identity-1",
};

Deno.test("startTokenServer: what a GET is given depends on who asks", async () => {
  const table: readonly (readonly [TokenIssuerOptions, string | undefined, number, string])[] = [
    [{}, undefined, 200, "valid"],
    [KNOWN, "robot:secret", 200, "valid"],
    [KNOWN, "robot:wrong", 401, "invalid"],
    [KNOWN, "toString:wrong", 401, "invalid"],
    [KNOWN, undefined, 200, "insufficient"],
    [{ ...KNOWN, anonymous: "pull" }, undefined, 200, "valid"],
    [{ ...KNOWN, anonymous: "refused" }, undefined, 401, "invalid"],
    [
      { ...KNOWN, mayUse: (_user, repository) => repository !== "team/app" },
      "robot:secret",
      200,
      "insufficient",
    ],
  ];
  for (const [options, credentials, status, verdict] of table) {
    await using server = await startTokenServer(options);
    const answer = await getToken(server, `service=lab-registry&scope=${SCOPE}`, credentials);
    assertEquals(answer.status, status);
    assertEquals(server.issuer.check(answer.token ?? "", "team/app"), verdict);
    assertEquals(server.issuer.issued.length, status === 200 ? 1 : 0);
  }
});

Deno.test("startTokenServer: several scopes in one or more parameters", async () => {
  await using server = await startTokenServer(KNOWN);
  const query = `scope=${SCOPE} repository:other:pull,push&scope=repository:third:pull`;
  const { token = "" } = await getToken(server, query, "robot:secret");
  const verdicts = ["team/app", "other", "third", "fourth"].map((name) => server.issuer.check(token, name));
  assertEquals(verdicts, ["valid", "valid", "valid", "insufficient"]);
  assertEquals(server.issuer.check(token, "other", "push"), "valid");
  assertEquals(server.issuer.check(token, "third", "push"), "insufficient");
});

Deno.test("startTokenServer: a foreign service is refused", async () => {
  await using server = await startTokenServer({ service: "harbor-registry" });
  assertEquals((await getToken(server, `service=other&scope=${SCOPE}`)).status, 400);
  assertEquals((await getToken(server, `service=harbor-registry&scope=${SCOPE}`)).status, 200);
});

Deno.test("startTokenServer: OAuth2 POST with an identity token, with a password, and with neither", async () => {
  await using server = await startTokenServer(KNOWN);
  const known = await postToken(server, REFRESH);
  assertEquals([known.status, known.token], [200, undefined]);
  assertEquals(server.issuer.check(known.access_token ?? "", "team/app"), "valid");
  const password = { ...REFRESH, grant_type: "password", username: "robot", password: "secret" };
  assertEquals((await postToken(server, password)).status, 200);
  assertEquals((await postToken(server, { ...password, password: "wrong" })).status, 401);
  assertEquals((await postToken(server, { ...REFRESH, refresh_token: "stolen" })).status, 401);
  const { client_id: _, ...withoutClient } = REFRESH;
  assertEquals((await postToken(server, withoutClient)).status, 400);
  assertEquals(server.issuer.issued.map((one) => one.via), ["POST", "POST"]);
});

Deno.test("startTokenServer: an offline token can be used like an identity token", async () => {
  await using server = await startTokenServer(KNOWN);
  const { refresh_token = "" } = await getToken(server, `scope=${SCOPE}&offline_token=true`, "robot:secret");
  const answer = await postToken(server, { ...REFRESH, refresh_token });
  assertEquals(server.issuer.check(answer.access_token ?? "", "team/app"), "valid");
});

Deno.test("startTokenServer: one without OAuth2 answers POST with its status", async () => {
  await using server = await startTokenServer({ ...KNOWN, postStatus: 405 });
  assertEquals((await postToken(server, REFRESH)).status, 405);
  assertEquals((await getToken(server, `scope=${SCOPE}`, "robot:secret")).status, 200);
});

Deno.test("startTokenServer: field names, life time and any other word of the answer can be set", async () => {
  await using server = await startTokenServer({
    field: "access_token",
    lifetimeSeconds: 0,
    edit: ({ access_token }) => ({ access_token, expires_in: 1e9 }),
  });
  const answer = await getToken(server, `scope=${SCOPE}`);
  assertMatch(answer.access_token ?? "", /^lab-/);
  assertEquals([answer.token, answer.expires_in, answer.issued_at], [undefined, 1e9, undefined]);
  assertEquals(server.issuer.check(answer.access_token ?? "", "team/app"), "invalid");
});

Deno.test("revoke: one token, or all", async () => {
  await using server = await startTokenServer();
  const tokens: string[] = [];
  for (let count = 0; count < 3; count++) tokens.push((await getToken(server, `scope=${SCOPE}`)).token ?? "");
  const verdicts = () => tokens.map((token) => server.issuer.check(token));
  server.issuer.revoke(tokens[1]);
  assertEquals(verdicts(), ["valid", "invalid", "valid"]);
  server.issuer.revoke();
  assertEquals(verdicts(), ["invalid", "invalid", "invalid"]);
});
