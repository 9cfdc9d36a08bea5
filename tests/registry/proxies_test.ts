import { assertEquals } from "@std/assert";
import { startRegistry } from "../lab/registry.ts";
import { imageWith, ROBOT } from "./attack_bench.ts";
import { startNamedProxy } from "./named_proxy.ts";
import { codeOf, openTestRegistry, pullAll, testWorld } from "./registry_rig.ts";

/** Runs `use` with the variables where the runtime reads them. */
async function withEnvironment(
  environment: Readonly<Record<string, string>>,
  use: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(environment).map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
    await use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

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
