import { assertEquals, assertNotEquals } from "@std/assert";
import { parseChallenges } from "../../src/registry/auth_challenge.ts";
import { AuthSession } from "../../src/registry/auth_session.ts";
import type { Credential } from "../../src/registry/credential.ts";
import { Wire } from "../../src/registry/wire.ts";
import { startTokenServer } from "../lab/token_server.ts";
import { NEVER, testWorld } from "./registry_rig.ts";

const ROBOT: Credential = { kind: "password", username: "robot", password: "pass word" };

// Layers, signatures and referrers are asked for side by side, with one session.

Deno.test("AuthSession: a late refusal of a token that has been renewed meanwhile does not cost the credentials", async () => {
  await using server = await startTokenServer({ users: { robot: "pass word" } });
  const world = testWorld();
  using wire = new Wire({ environment: {} }, world);
  const subject = {
    origin: new URL(server.origin),
    repository: "iot/fw",
    credential: () => Promise.resolve(ROBOT),
  };
  const session = new AuthSession(subject, wire, world);
  const challenges = parseChallenges(`Bearer realm="${server.realm}",service="lab-registry"`);

  assertEquals(await session.refused(undefined, challenges, NEVER), true);
  const old = await session.authorization(NEVER);
  session.accepted();
  assertEquals(await session.refused(old, challenges, NEVER), true);
  assertEquals(await session.refused(old, challenges, NEVER), true, "before the new token is there");
  const renewed = await session.authorization(NEVER);
  assertNotEquals(renewed, old);
  assertEquals(await session.refused(old, challenges, NEVER), true, "after it is there");
  assertEquals(await session.authorization(NEVER), renewed);
  assertEquals([session.identity, world.lines.filter(({ level }) => level === "warn")], [
    "the credentials",
    [],
  ]);
});

Deno.test("AuthSession: of two requests whose password is refused, both go on without it", async () => {
  const world = testWorld();
  using wire = new Wire({ environment: {} }, world);
  const subject = {
    origin: new URL("http://127.0.0.1"),
    repository: "iot/fw",
    credential: () => Promise.resolve(ROBOT),
  };
  const session = new AuthSession(subject, wire, world);
  const challenges = parseChallenges('Basic realm="lab"');
  assertEquals(await session.refused(undefined, challenges, NEVER), true);
  const sent = await session.authorization(NEVER);
  assertEquals(await session.refused(sent, challenges, NEVER), true);
  assertEquals(await session.refused(sent, challenges, NEVER), true);
  assertEquals(await session.authorization(NEVER), undefined);
  assertEquals(await session.refused(undefined, challenges, NEVER), false);
});
