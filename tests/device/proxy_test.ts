import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { processEnvironment } from "../lab/program.ts";
import { RawServer } from "./raw_server.ts";

const CHILD = fileURLToPath(new URL("./ask_device.ts", import.meta.url));

Deno.test("DeviceClient: no proxy of the environment is ever used", async () => {
  await using proxy = new RawServer("HTTP/1.1 200 OK\r\n\r\n");
  await using device = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const url = `http://${proxy.endpoint}`;
  const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", CHILD, device.endpoint],
    env: {
      ...processEnvironment(),
      ...Object.fromEntries(names.map((name) => [name, url])),
      NODE_USE_ENV_PROXY: "1",
      NO_PROXY: "",
      no_proxy: "",
    },
    clearEnv: true,
  }).output();
  assertEquals(new TextDecoder().decode(stderr).replaceAll(/^.*Check.*\n/gm, ""), "");
  assertEquals(new TextDecoder().decode(stdout), "absent\naccepted\n");
  assertEquals(code, 0);
  assertEquals(device.received.map((request) => request.split(" HTTP/")[0]), ["GET /info", "POST /update"]);
  assertEquals(proxy.received, []);
});
