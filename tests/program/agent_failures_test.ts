/**
 * What can go wrong with the attestation server and the agent: how the job ends, and whether the device was asked.
 *
 * @module
 */

import { testFailures } from "./failure_case.ts";

testFailures("attestation", [
  {
    name: "401",
    lab: { attestation: "401" },
    outcome: "attestation-refused",
    cause: /401|Certificate Invalid/,
    device: "undisturbed",
  },
  {
    name: "401 for a device that shows no certificate ahead",
    lab: { attestation: "401", behaviour: { onboard: "absent" } },
    outcome: "attestation-refused",
    cause: /401|Certificate Invalid/,
    device: "old",
  },
  {
    name: "nobody listening",
    lab: { attestation: "down" },
    outcome: "attestation-unavailable",
    cause: /nothing listens there.*the device was not disturbed/,
    device: "undisturbed",
  },
  {
    name: "no answer",
    lab: { attestation: "hang" },
    args: ["--attestation-timeout", "1s"],
    outcome: "attestation-unavailable",
    cause: /1000 ms/,
    device: "undisturbed",
  },
  {
    name: "500",
    lab: { attestation: "500" },
    outcome: "attestation-unavailable",
    cause: /500/,
    device: "undisturbed",
  },
]);

testFailures("agent", [
  {
    name: "a certificate that is a pipe nobody writes to",
    arrange: async (lab) => {
      const pipe = `${lab.directory}/pipe`;
      await new Deno.Command("mkfifo", { args: [pipe] }).output();
      return { SERVER_CRT_PATH: pipe };
    },
    outcome: "configuration",
    cause: /Cannot read '.*pipe': it is no file, wanted a PEM file/,
    device: "undisturbed",
  },
  {
    name: "a port that is taken",
    arrange: (lab, resources) => {
      const holder = resources.use(Deno.listen({ hostname: "0.0.0.0", port: 0 }));
      // The lab's own port stays free, as the check after the run demands.
      return { AGENT_PORT: String(holder.addr.port), SERVER_CRT_PATH: `${lab.directory}/server.crt` };
    },
    outcome: "agent-failed",
    cause: /something else listens on port \d+/,
    device: "undisturbed",
  },
  {
    name: "no server certificate",
    arrange: (lab) => ({ SERVER_CRT_PATH: `${lab.directory}/absent.crt` }),
    outcome: "configuration",
    cause: /absent\.crt/,
    device: "undisturbed",
  },
  {
    name: "a program that is not there",
    arrange: (lab) => ({ OTA_AGENT_PATH: `${lab.directory}/absent` }),
    outcome: "configuration",
    cause: /absent/,
    device: "undisturbed",
  },
]);
