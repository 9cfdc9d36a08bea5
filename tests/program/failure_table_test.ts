/**
 * What can go wrong with the device: how the job ends, what the device runs afterwards, and that nothing is left
 * behind.
 *
 * @module
 */

import { startAttestation } from "../lab/attestation.ts";
import { startBlackHole } from "../device/black_hole.ts";
import { deviceBehaviours } from "../lab/device_behaviour.ts";
import { startDevice } from "../lab/device.ts";
import { freePort } from "../lab/lab_world.ts";
import { testFailures } from "./failure_case.ts";
import { SEEN } from "./lab_job.ts";

testFailures("device", [
  {
    name: "nobody at its address",
    arrange: () => ({ HOST_ENDPOINT: `127.0.0.1:${freePort()}` }),
    outcome: "device-unreachable",
    cause: /^Cannot ask '127\.0\.0\.1:\d+' to update: connection refused/,
    device: "undisturbed",
  },
  {
    name: "nobody at its address, which was to tell ours",
    arrange: () => ({ HOST_ENDPOINT: `127.0.0.1:${freePort()}`, EXTERNAL_IP: "" }),
    outcome: "device-unreachable",
    cause: /^Cannot connect to '127\.0\.0\.1:\d+' to see which of our addresses .* connection refused/,
    device: "undisturbed",
  },
  {
    name: "switched off",
    arrange: async (_lab, resources) => ({ HOST_ENDPOINT: resources.use(await startBlackHole()).endpoint }),
    // Asked four times before it is given up.
    args: ["--device-timeout", "300ms", "--dial-in-timeout", "30s"],
    outcome: "device-unreachable",
    cause: /^Cannot ask '127\.0\.0\.1:\d+' to update: no answer in time/,
    device: "undisturbed",
  },
  {
    name: "switched off, and its route was to tell our address",
    arrange: async (_lab, resources) => {
      const { endpoint } = resources.use(await startBlackHole());
      return { HOST_ENDPOINT: endpoint, EXTERNAL_IP: "" };
    },
    args: ["--device-timeout", "300ms"],
    outcome: "device-unreachable",
    cause: /^Cannot connect to '127\.0\.0\.1:\d+' to see which of our addresses .* no answer in time/,
    device: "undisturbed",
  },
  {
    name: "another chip in /info",
    arrange: async (lab, resources) => {
      const other = resources.use(await startDevice({ device: "esp32c3", agentPort: lab.agentPort }));
      return { HOST_ENDPOINT: other.endpoint };
    },
    outcome: "wrong-target",
    cause: /it is 'esp32c3', wanted 'esp32s3'/,
    device: "undisturbed",
  },
  {
    name: "/update answered with 500",
    lab: { behaviour: { update: 500 } },
    outcome: "update-refused",
    cause: /answered HTTP 500 .* wanted 200/,
    device: "old",
  },
  {
    name: "/update answered with 404",
    lab: { behaviour: { update: 404 } },
    outcome: "update-refused",
    cause: /answered HTTP 404/,
    device: "old",
  },
  {
    name: "an insecure reply",
    lab: { behaviour: { update: "insecure" } },
    outcome: "update-refused",
    cause: /\(Insecure\).* instead of dialling the agent/,
    device: "old",
  },
  {
    name: "a device that never dials",
    lab: { behaviour: { dials: "never" } },
    args: ["--dial-in-timeout", "1s"],
    outcome: "device-never-dialled",
    cause: /the device was told to dial 127\.0\.0\.1$/,
    device: "old",
  },
  {
    name: "a device with another certificate pinned",
    lab: { behaviour: { wrongPin: true } },
    args: ["--dial-in-timeout", "1s"],
    outcome: "tls-refused",
    cause: /certificate/,
    device: "old",
  },
  {
    name: "another genuine device that dials in its place",
    lab: { behaviour: { onboard: "other" } },
    arrange: (_lab, resources) => {
      const knowsEveryone = resources.use(startAttestation());
      return { DICE_AUTH_SERVICE_SERVICE_PORT: String(knowsEveryone.port) };
    },
    args: ["--dial-in-timeout", "1s"],
    outcome: "wrong-device",
    cause: /certificate/,
    device: "old",
  },
  {
    name: "a transfer reset at 50 %",
    lab: { behaviour: { transfer: { fraction: 0.5, then: "reset" } } },
    outcome: "transfer-broken",
    cause: /bytes/,
    device: "old",
  },
  {
    name: "a transfer that stands still at 50 %",
    lab: { behaviour: { transfer: { fraction: 0.5, then: "stall" }, receiveWindow: 5760 } },
    args: ["--transfer-idle-timeout", "1s"],
    outcome: "transfer-broken",
    cause: /1000 ms/,
    device: "old",
  },
  {
    name: "an image that the device rejects",
    lab: { behaviour: { rejectsImage: true } },
    args: ["--confirm-timeout", "3s"],
    outcome: "image-rejected",
    cause: /did not restart and still runs 1\.0\.0/,
    device: "old",
  },
  {
    name: "a device that returns with the old version",
    lab: { timings: SEEN, behaviour: deviceBehaviours["rollback"] ?? {} },
    outcome: "old-version",
    cause: /restarted and runs 1\.0\.0 again, wanted 1\.1\.0/,
    device: "old",
  },
  {
    name: "a device that never returns",
    lab: { behaviour: { afterRestart: "gone" } },
    args: ["--confirm-timeout", "2s"],
    outcome: "device-lost",
    cause: /did not come back: connection refused/,
    device: "old",
  },
  {
    name: "another device at the address after the restart",
    lab: { behaviour: { afterRestart: { device: "esp32c3" } } },
    outcome: "wrong-device",
    cause: /a 'esp32c3' answers there now/,
    device: "new",
  },
  {
    name: "a device that cannot tell its version, with --confirm require",
    lab: { timings: SEEN, behaviour: { info: "absent" } },
    args: ["--confirm", "require", "--confirm-timeout", "4s"],
    outcome: "not-confirmed",
    cause: /it does not tell its version/,
    device: "new",
  },
  {
    name: "an older version than the device runs",
    lab: { from: "2.0.0" },
    outcome: "downgrade-refused",
    cause: /from 2\.0\.0 to 1\.1\.0: it is older/,
    device: "undisturbed",
  },
]);
