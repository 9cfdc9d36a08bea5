import { assertEquals } from "@std/assert";
import { usesProxy } from "../../src/registry/proxy_choice.ts";
import { startRegistry } from "../lab/registry.ts";
import { imageWith, ROBOT } from "./attack_bench.ts";
import { startNamedProxy } from "./named_proxy.ts";
import { codeOf, openTestRegistry, pullAll, testWorld } from "./registry_rig.ts";

/** All that the runtime reads. */
const VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((
  name,
) => [name, name.toLowerCase()]);

/** Runs `use` with these of the variables where the runtime reads them, and no others. */
async function withEnvironment(
  environment: Readonly<Record<string, string>>,
  use: () => Promise<void>,
): Promise<void> {
  const before = VARIABLES.map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const name of VARIABLES) setVariable(name, environment[name]);
    await use();
  } finally {
    for (const [name, value] of before) setVariable(name, value);
  }
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) Deno.env.delete(name);
  else Deno.env.set(name, value);
}

Deno.test("usesProxy: as the runtime chooses", async () => {
  await using proxy = startNamedProxy({});
  const table: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{}, "http://a.localhost"],
    [{ HTTP_PROXY: "" }, "http://a.localhost"],
    [{ HTTP_PROXY: proxy.url }, "http://a.localhost"],
    [{ http_proxy: proxy.url }, "http://a.localhost"],
    [{ ALL_PROXY: proxy.url }, "http://a.localhost"],
    [{ all_proxy: proxy.url }, "https://a.localhost"],
    [{ HTTPS_PROXY: proxy.url }, "http://a.localhost"],
    [{ HTTPS_PROXY: proxy.url }, "https://a.localhost"],
    [{ HTTP_PROXY: proxy.url }, "https://a.localhost"],
    ...[
      ["", "x.example"],
      ["localhost", "a.localhost", ".localhost", "*.localhost", "x.example, a.localhost ", "A.LOCALHOST"],
      ["*", "x.example,*", "host", "calhost", "a.localhost:59999", ".a.localhost", "b.a.localhost"],
    ].flat().map((spared) => [{ HTTP_PROXY: proxy.url, NO_PROXY: spared }, "http://a.localhost"] as const),
    [{ HTTP_PROXY: proxy.url, no_proxy: "localhost" }, "http://a.localhost"],
    [{ HTTP_PROXY: proxy.url, NO_PROXY: "", no_proxy: "localhost" }, "http://a.localhost"],
  ];
  for (const [environment, origin] of table) {
    const url = new URL(`${origin}:59999/`);
    const before = proxy.asked.length;
    await withEnvironment(environment, async () => {
      using client = Deno.createHttpClient({});
      await fetch(url, { client }).then((response) => response.body?.cancel(), () => undefined);
    });
    const told = JSON.stringify([environment, origin]);
    assertEquals(usesProxy(url, environment), proxy.asked.length > before, told);
  }
});

Deno.test("RegistryClient: HTTP_PROXY leads to a registry with a name, and never to one on loopback", async () => {
  await using registry = await startRegistry({
    auth: { kind: "basic", user: ROBOT.username, password: ROBOT.password },
  });
  registry.put(imageWith({}), "iot/fw", "v1");
  // it knows the way to both, so that only a direct connection leaves no trace
  await using proxy = startNamedProxy({ "registry.example": registry.host, "127.0.0.1": registry.host });
  const environment = { HTTP_PROXY: proxy.url, NO_PROXY: "" };
  const pull = async (host: string): Promise<string> => {
    using client = openTestRegistry(
      { environment, plainHttp: ["registry.example"], credentials: ROBOT },
      testWorld(),
    );
    return await codeOf(() => pullAll(client, `${host}/iot/fw:v1`));
  };
  await withEnvironment(environment, async () => {
    assertEquals([await pull(registry.host), proxy.asked], ["success", []]);
    assertEquals([await pull("registry.example"), new Set(proxy.asked)], [
      "success",
      new Set(["registry.example"]),
    ]);
  });
});
