import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Credential, parseBasicPair } from "../../src/registry/credential.ts";
import { bestFit, keyFit } from "../../src/registry/credential_key.ts";
import { openCredentials } from "../../src/registry/credentials.ts";
import { parseDockerConfig } from "../../src/registry/docker_config.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { NEVER, testWorld } from "./registry_rig.ts";

const TARGET = { registry: "harbor.example", repository: "iot/esp32/fw" };
const auth = (user: string) => btoa(`${user}:secret of ${user}`);

function userOf(credential: Credential | undefined): string | undefined {
  return credential?.kind === "password" ? credential.username : credential?.kind;
}

Deno.test("keyFit: which keys name a registry or a part of it", () => {
  const table: readonly (readonly [string, boolean])[] = [
    ["harbor.example", true],
    ["HARBOR.example", true],
    ["https://harbor.example", true],
    ["https://harbor.example/", true],
    ["http://harbor.example/v1/", true],
    ["https://harbor.example/v2/", true],
    ["harbor.example:443", true],
    ["harbor.example/iot", true],
    ["harbor.example/iot/", true],
    ["harbor.example/iot/esp32", true],
    ["harbor.example/iot/esp32/fw", true],
    ["*.example", true],
    ["h*r.example", true],
    ["*r.ex*", true],
    // by segment: neither half a segment nor more than there are
    ["harbor.example/io", false],
    ["harbor.example/iot/esp", false],
    ["harbor.example/iot/esp32/fw/x", false],
    ["harbor.example:5000", false],
    ["example", false],
    ["evil.harbor.example", false],
    ["harbor.example.evil", false],
    ["*", false],
    ["*.harbor.example", false],
    ["*.example:5000", false],
    ["harborXexample", false],
    ["", false],
  ];
  for (const [key, fits] of table) assertEquals(keyFit(key, TARGET) !== undefined, fits, key);
});

Deno.test("keyFit: Docker Hub under all its names", () => {
  for (const key of ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"]) {
    assert(keyFit(key, { registry: "docker.io", repository: "library/x" }) !== undefined, key);
  }
  assertEquals(keyFit("docker.io", TARGET), undefined);
});

Deno.test("bestFit: the longest path, then the exact host", () => {
  const keys = [
    "*.example",
    "harbor.example",
    "harbor.example/iot",
    "harbor.example/iot/esp32",
    "*.example/iot/esp32",
  ];
  const order: string[] = [];
  let left = keys.map((key) => ({ key }));
  for (let best = bestFit(left, TARGET); best !== undefined; best = bestFit(left, TARGET)) {
    order.push(best.key);
    left = left.filter((one) => one !== best);
  }
  assertEquals(order, [
    "harbor.example/iot/esp32",
    "*.example/iot/esp32",
    "harbor.example/iot",
    "harbor.example",
    "*.example",
  ]);
});

Deno.test("parseDockerConfig: every form of an entry", () => {
  const { entries } = parseDockerConfig(JSON.stringify({
    auths: {
      pair: { auth: auth("a") },
      colon: { auth: btoa("u:p:q") },
      fields: { username: "b", password: "p" },
      identity: { auth: btoa("00000000-0000-0000-0000-000000000000:"), identitytoken: "refresh" },
      helper: { username: "<token>", password: "refresh" },
      bearer: { registrytoken: "bearer" },
      empty: {},
      nothing: null,
      broken: { auth: "%%%" },
      nul: { auth: btoa("u:p\0\0") },
    },
    experimental: "enabled",
  }));
  const byKey = Object.fromEntries(entries.map(({ key, credential }) => [key, credential]));
  assertEquals(byKey, {
    pair: { kind: "password", username: "a", password: "secret of a" },
    colon: { kind: "password", username: "u", password: "p:q" },
    fields: { kind: "password", username: "b", password: "p" },
    identity: {
      kind: "identity",
      token: "refresh",
      fallback: { kind: "password", username: "00000000-0000-0000-0000-000000000000", password: "refresh" },
    },
    helper: {
      kind: "identity",
      token: "refresh",
      fallback: { kind: "password", username: "<token>", password: "refresh" },
    },
    bearer: { kind: "registry-token", token: "bearer" },
    empty: undefined,
    nothing: undefined,
    broken: undefined,
    nul: { kind: "password", username: "u", password: "p" },
  });
});

Deno.test("parseDockerConfig: the legacy form without 'auths'", () => {
  const { entries } = parseDockerConfig(
    JSON.stringify({ "harbor.example": { auth: auth("old"), email: "x" } }),
  );
  assertEquals(entries.map(({ key, credential }) => [key, userOf(credential)]), [["harbor.example", "old"]]);
});

Deno.test("parseDockerConfig: what is wrong is told without what stands there", () => {
  for (
    const text of [
      '{"auths":{"h":{"auth":"hunter2',
      '"hunter2"',
      '["hunter2"]',
      '{"auths":"hunter2"}',
      '{"auths":{"h":{"auth":["hunter2"]}}}',
    ]
  ) {
    const error = assertThrows(() => parseDockerConfig(text), SyntaxError);
    assertEquals(`${error.message}${error.cause ?? ""}`.includes("hunter2"), false);
  }
});

Deno.test("parseDockerConfig, parseBasicPair: any text ends in a value or a SyntaxError", () => {
  const key = fc.constantFrom(
    "auths",
    "credHelpers",
    "credsStore",
    "auth",
    "username",
    "h",
    "__proto__",
    "constructor",
  );
  const document = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(fc.oneof(fc.string(), document.map((value) => JSON.stringify(value))), (text) => {
      parseBasicPair(text);
      try {
        parseDockerConfig(text);
      } catch (error) {
        assertInstanceOf(error, SyntaxError);
      }
    }),
    { seed: 20266, numRuns: 1000 },
  );
});

/** Looks a credential up in files of a fresh directory; `$DIR` in values of the environment is that directory. */
async function find(
  files: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>>,
  registryConfig?: string,
) {
  const directory = await Deno.makeTempDir({ prefix: "credentials-" });
  const world = testWorld();
  const inside = (text: string) => text.replace("$DIR", directory);
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = `${directory}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, typeof content === "string" ? content : JSON.stringify(content));
    }
    const credentials = openCredentials({
      environment: Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, inside(value)]),
      ),
      ...(registryConfig === undefined ? {} : { registryConfig: inside(registryConfig) }),
    }, world);
    return { user: userOf(await credentials.find(TARGET, NEVER)), lines: world.lines };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const config = (user: string) => ({ auths: { "harbor.example": { auth: auth(user) } } });

Deno.test("openCredentials: every place, file or directory, under every name", async () => {
  const table:
    readonly (readonly [string, Readonly<Record<string, unknown>>, Readonly<Record<string, string>>])[] = [
      ["DOCKER_CONFIG, a directory", { "d/config.json": config("u") }, { DOCKER_CONFIG: "$DIR/d" }],
      ["DOCKER_CONFIG, a file", { "any.json": config("u") }, { DOCKER_CONFIG: "$DIR/any.json" }],
      ["a mounted secret as it is", { "s/.dockerconfigjson": config("u") }, { DOCKER_CONFIG: "$DIR/s" }],
      ["a mounted legacy secret", { "s/.dockercfg": config("u").auths }, { DOCKER_CONFIG: "$DIR/s" }],
      ["REGISTRY_AUTH_FILE", { "auth.json": config("u") }, { REGISTRY_AUTH_FILE: "$DIR/auth.json" }],
      ["DOCKER_AUTH_CONFIG", {}, { DOCKER_AUTH_CONFIG: JSON.stringify(config("u")) }],
      ["docker's home", { "h/.docker/config.json": config("u") }, { HOME: "$DIR/h" }],
      ["podman's home", { "h/.config/containers/auth.json": config("u") }, { HOME: "$DIR/h" }],
      ["podman's run time", { "r/containers/auth.json": config("u") }, { XDG_RUNTIME_DIR: "$DIR/r" }],
      ["the oldest place", { "h/.dockercfg": config("u").auths }, { HOME: "$DIR/h" }],
    ];
  for (const [name, files, environment] of table) {
    assertEquals((await find(files, environment)).user, "u", name);
  }
});

Deno.test("openCredentials: the flag beats variables, a variable beats the home, the first place with an entry decides", async () => {
  const files = {
    "flag.json": config("flag"),
    "h/.docker/config.json": config("home"),
    "empty.json": { auths: {} },
  };
  const environment = { DOCKER_AUTH_CONFIG: JSON.stringify(config("variable")), HOME: "$DIR/h" };
  assertEquals((await find(files, environment, "$DIR/flag.json")).user, "flag");
  assertEquals((await find(files, environment)).user, "variable");
  assertEquals((await find(files, { HOME: "$DIR/h" })).user, "home");
  assertEquals((await find(files, environment, "$DIR/empty.json")).user, "variable");
});

Deno.test("openCredentials: the log names the key and never the value", async () => {
  const { lines } = await find({}, { DOCKER_AUTH_CONFIG: JSON.stringify(config("someone")) });
  const log = JSON.stringify(lines);
  assert(log.includes("harbor.example"));
  assertEquals(["someone", "secret", auth("someone")].some((word) => log.includes(word)), false);
});

Deno.test("openCredentials: a named file that is missing or broken is an error, one in the home only a warning", async () => {
  for (const content of ["{", '{"auths":1}', " ".repeat(1024 * 1024 + 1)]) {
    const error = await assertRejects(
      () => find({ "x.json": content }, { DOCKER_CONFIG: "$DIR/x.json" }),
      RegistryError,
    );
    assertEquals(error.code, "bad-credentials-file");
  }
  const missing = await assertRejects(() => find({}, {}, "$DIR/nowhere"), RegistryError);
  assertEquals(missing.code, "bad-credentials-file");
  const { user, lines } = await find({ "h/.docker/config.json": "{" }, { HOME: "$DIR/h" });
  assertEquals([user, lines.some(({ level }) => level === "warn")], [undefined, true]);
});
