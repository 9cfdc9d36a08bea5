import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatDeviceAddress } from "../../src/device/device_address.ts";
import type { Environment } from "../../src/job/option.ts";
import { configOf, faultsOf } from "./job_world.ts";

const NO_HOST: Environment = { HOST_ENDPOINT: "" };

function hostOf(environment: Environment, flag?: string): string {
  return formatDeviceAddress(configOf(flag === undefined ? {} : { host: flag }, environment).host);
}

Deno.test("findHost: flag, exact variable, the only suffixed one, HOST: in this order", () => {
  const all = { HOST_ENDPOINT: "10.0.0.2", HOST_ENDPOINT_AB12CD: "10.0.0.3", HOST: "10.0.0.4" };
  assertEquals(hostOf(all, "10.0.0.1"), "10.0.0.1:80");
  assertEquals(hostOf(all), "10.0.0.2:80");
  assertEquals(hostOf({ ...all, ...NO_HOST }), "10.0.0.3:80");
  assertEquals(hostOf({ ...NO_HOST, HOST: "10.0.0.4" }), "10.0.0.4:80");
  assertEquals(hostOf({ ...NO_HOST, HOST_ENDPOINT_AB12CD: " ", HOST: " 10.0.0.4 " }), "10.0.0.4:80");
});

Deno.test("findHost: several suffixed variables of one device are one device, however it is written", () => {
  const environment = {
    ...NO_HOST,
    HOST_ENDPOINT_A: "10.0.0.3",
    HOST_ENDPOINT_B: "10.0.0.3:80",
    HOST_ENDPOINT_C: "http://10.0.0.3/",
    HOST_ENDPOINT_D: "",
  };
  assertEquals(hostOf(environment), "10.0.0.3:80");
});

Deno.test("findHost: several devices are a fault that lists them, unless one is chosen", () => {
  const several = {
    HOST_ENDPOINT_B: "10.0.0.5",
    HOST_ENDPOINT_A: "http://user:secret@10.0.0.4",
    HOST: "10.0.0.6",
  };
  const [fault = "", ...more] = faultsOf({}, { ...several, ...NO_HOST }).filter((text) =>
    text.startsWith("Several")
  );
  assertEquals(more, []);
  assertStringIncludes(fault, "HOST_ENDPOINT_A=http://***@10.0.0.4, HOST_ENDPOINT_B=10.0.0.5");
  assertEquals(hostOf({ ...several, HOST_ENDPOINT: "10.0.0.5" }), "10.0.0.5:80");
  assertEquals(hostOf({ ...several, ...NO_HOST }, "10.0.0.4"), "10.0.0.4:80");
});

Deno.test("parseAgentIp: what a device cannot copy or no host can have is refused", () => {
  const table: [string, RegExp][] = [
    ["agent.example", /dotted IPv4/],
    ["::1", /dotted IPv4/],
    ["::ffff:10.0.0.1", /dotted IPv4/],
    ["10.0.0.01", /dotted IPv4/],
    ["10.0.0", /dotted IPv4/],
    ["10.0.0.1:4433", /dotted IPv4/],
    ["10.0.0.256", /dotted IPv4/],
    ["0.0.0.0", /no host/],
    ["0.1.2.3", /no host/],
    ["224.0.0.1", /no host/],
    ["239.255.255.250", /no host/],
    ["255.255.255.255", /no host/],
    ["127.0.0.1", /would dial itself/],
    ["127.5.5.5", /would dial itself/],
  ];
  for (const [address, found] of table) {
    const faults = faultsOf({}, { EXTERNAL_IP: address });
    assertEquals(faults.length, 1, address);
    assertMatch(faults[0] ?? "", found);
    assertStringIncludes(faults[0] ?? "", "EXTERNAL_IP: ");
  }
  assertStringIncludes(faultsOf({ "agent-ip": "::1" })[0] ?? "", "--agent-ip: ");
});

Deno.test("parseAgentIp: loopback is for a device on this machine", () => {
  for (const host of ["127.0.0.1:8080", "localhost", "[::1]:80"]) {
    assertEquals(configOf({ host }, { EXTERNAL_IP: "127.0.0.1" }).agentIp, "127.0.0.1");
  }
});

Deno.test("parseAgentIp: EXTERNAL_IP is stronger than AGENT_IP", () => {
  assertEquals(configOf({}, { EXTERNAL_IP: "10.0.0.1", AGENT_IP: "10.0.0.2" }).agentIp, "10.0.0.1");
});

Deno.test("readAttestationUrl: flag, DICE_AUTH_URL, then the variables of the Service", () => {
  const service = { DICE_AUTH_SERVICE_SERVICE_HOST: "10.96.0.7" };
  const url = (environment: Environment, flag?: string) =>
    configOf(flag === undefined ? {} : { "attestation-url": flag }, environment).attestationUrl.href;
  const none = { DICE_AUTH_URL: "" };
  assertEquals(url({ DICE_AUTH_URL: "http://b:1", ...service }, "http://a:1"), "http://a:1/");
  assertEquals(url({ DICE_AUTH_URL: "http://b:1", ...service }), "http://b:1/");
  assertEquals(url({ ...none, ...service }), "http://10.96.0.7:8000/");
  assertEquals(
    url({ ...none, ...service, DICE_AUTH_SERVICE_SERVICE_PORT: "8080" }),
    "http://10.96.0.7:8080/",
  );
  assertEquals(url({ ...none, ...service, DICE_AUTH_SERVICE_SERVICE_PORT: "" }), "http://10.96.0.7:8000/");
  assertEquals(url({ ...none, DICE_AUTH_SERVICE_SERVICE_HOST: "fd00::7" }), "http://[fd00::7]:8000/");
  assertEquals(url({}, "attestation:8000"), "http://attestation:8000/");
  assertEquals(url({}, "https://attestation"), "https://attestation/");
});

Deno.test("readAttestationUrl: what is wrong is named", () => {
  const table: [Environment, RegExp][] = [
    [{ DICE_AUTH_URL: "" }, /No attestation server is given.*DICE_AUTH_SERVICE_SERVICE_HOST/],
    [{ DICE_AUTH_URL: "ftp://a" }, /scheme is 'ftp:'/],
    [{ DICE_AUTH_URL: "http://me:x@a" }, /user name or password/],
    [{ DICE_AUTH_URL: "http://a/?x" }, /query/],
    [{ DICE_AUTH_URL: "a b" }, /not a URL/],
    [{ DICE_AUTH_URL: "http://" }, /not a URL/],
    [
      {
        DICE_AUTH_URL: "",
        DICE_AUTH_SERVICE_SERVICE_HOST: "a",
        DICE_AUTH_SERVICE_SERVICE_PORT: "tcp://a:8000",
      },
      /DICE_AUTH_SERVICE_SERVICE_PORT: Cannot use 'tcp:/,
    ],
    [
      { DICE_AUTH_URL: "", DICE_AUTH_SERVICE_SERVICE_HOST: "a b" },
      /DICE_AUTH_SERVICE_SERVICE_HOST: .*not a URL/,
    ],
  ];
  for (const [environment, found] of table) {
    const faults = faultsOf({}, environment);
    assertEquals(faults.length, 1, faults.join("\n"));
    assertMatch(faults[0] ?? "", found);
  }
});
