import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { AgentSign, AgentVerdict } from "../../src/agent/agent_transcript.ts";
import { ClassicTranscript } from "../../src/agent/classic_transcript.ts";
import type { ChildStatus } from "../../src/world.ts";

const ZERO: ChildStatus = { code: 0, signal: null };

function judge(text: string, status = ZERO): { verdict: AgentVerdict; signs: AgentSign[] } {
  const transcript = new ClassicTranscript();
  const signs = text.split(/[\r\n]+/).filter(Boolean).flatMap((line) => {
    const stream = line.startsWith("!") ? "stderr" : "stdout";
    return transcript.hear({ stream, text: line.replace(/^!/, "") }) ?? [];
  });
  return { verdict: transcript.verdict(status), signs };
}

const codeOf = (verdict: AgentVerdict): string => verdict.kind === "delivered" ? "delivered" : verdict.code;

const START = `Reading new firmware from:          /tmp/f.bin
Dice Attestation Server:            http://10.0.0.1:8000
Reading server's certificate from:  /ota/certs/server.crt
Reading server's private key from:  /ota/certs/server.key
Server is listening on port 4433
Waiting for a connection...
`;
const CONNECTED = `${START}Client connected
TLS connection established
About to receive the certificate..
`;
const RECEIVED = `${CONNECTED}Success: Received 724 bytes
Received certificate, 724 bytes
`;
const VERIFIED = `${RECEIVED}{"status": "Certificate OK"}
Verified device
Attemting to send the firmware..
`;
const SENT = "\rSent: 1%\rSent: 50%\rSent: 100%\nFirmware sent to IoT\n";
const END = "`apply_ota()` returned\n";

/** Output (a line of stderr starts with "!"), exit code, verdict. */
const TABLE: Readonly<Record<string, readonly [output: string, code: number, verdict: string]>> = {
  "success": [VERIFIED + SENT + END, 0, "delivered"],
  "success after failed handshakes of strangers": [
    `${START}!Failed to perform SSL handshake: -0x0050\n!Failed to perform SSL handshake: -0x7200\n` +
    "!Failed to perform SSL handshake: -0x7780\n" + VERIFIED + SENT + END,
    0,
    "delivered",
  ],
  "unregistered device": [
    `${RECEIVED}{"status": "Certificate Invalid"}\nNot verified device\n`,
    0,
    "attestation-refused",
  ],
  "attestation answers 405 or 500": [`${RECEIVED}\nNot verified device\n`, 0, "attestation-unavailable"],
  "attestation answers with a page": [
    `${RECEIVED}<html>502 Bad Gateway</html>\nNot verified device\n`,
    0,
    "attestation-unavailable",
  ],
  "attestation refuses the connection": [
    `!curl_easy_perform() failed: Couldn't connect to server\n${RECEIVED}Not verified device\n`,
    0,
    "attestation-unavailable",
  ],
  "the same, pipes read in the other order": [
    `${RECEIVED}Not verified device\n!curl_easy_perform() failed: Couldn't connect to server\n`,
    0,
    "attestation-unavailable",
  ],
  "device stalls": [
    `${VERIFIED}\rSent: 40%\nMax retry time exceeded, aborting.\nCould not apply OTA\n${END}`,
    0,
    "transfer-broken",
  ],
  "device closes": [
    `${VERIFIED}\rSent: 40%Connection closed before sending the new firmware\nCould not apply OTA\n${END}`,
    0,
    "transfer-broken",
  ],
  "firmware file missing": [
    `${VERIFIED}!Error: File opening failed: No such file or directory\nCould not apply OTA\n${END}`,
    0,
    "firmware-unreadable",
  ],
  "firmware file missing, pipes read in the other order": [
    `${VERIFIED}Could not apply OTA\n!Error: File opening failed: No such file or directory\n${END}`,
    0,
    "firmware-unreadable",
  ],
  "variable missing": [
    "!NEW_FIRMWARE_PATH is not set - Please set the path of the firmware\n",
    0,
    "misconfigured",
  ],
  "bad certificate": [`${START}!Failed to load server certificate: -0x3E00\n`, 255, "bad-key-pair"],
  "bad key": [`${START}!Failed to load server private key: -0x3E00\n`, 255, "bad-key-pair"],
  "port in use": [`${START}!Failed to bind to port 4433: -0x0046\n`, 255, "listen-failed"],
  "no certificate": [
    `${CONNECTED}Error: Timeout reached before receiving enough data\n!Failed to read from client: -0x0000\n`,
    0,
    "certificate-invalid",
  ],
  "peer closes before its certificate": [
    `${CONNECTED}Error: Connection closed before receiving enough data\n!Failed to read from client: -0x0000\n`,
    0,
    "certificate-invalid",
  ],
  "peer breaks before its certificate": [
    `${CONNECTED}Error: Connection closed unexpectedly\n`,
    0,
    "certificate-invalid",
  ],
  "garbage for a certificate": [
    "!Error reading DER buffer\n!Conversion failed\n",
    134,
    "certificate-invalid",
  ],
  "only alerts, then killed by a wrapper": [`!Failed to perform SSL handshake: -0x7780\n`, 0, "tls-refused"],
  "nothing at all": ["", 0, "unproven"],
  "only its start": [START, 0, "unproven"],
  "verified and no more": [VERIFIED, 0, "unproven"],
  "verified and 100 %": [`${VERIFIED}\rSent: 100%\n`, 0, "unproven"],
  "sent, never verified": [RECEIVED + SENT + END, 0, "unproven"],
  "sent before verified": [`${RECEIVED}Firmware sent to IoT\nVerified device\n`, 0, "unproven"],
  "success, status 1": [VERIFIED + SENT + END, 1, "died"],
  "success and a contradiction": [`${VERIFIED}${SENT}Could not apply OTA\n`, 0, "transfer-broken"],
  "not verified, yet sent": [
    `${RECEIVED}{"status": "Certificate Invalid"}\nNot verified device\nVerified device\n${SENT}`,
    0,
    "attestation-refused",
  ],
  "proofs inside other lines": [`xVerified device\nVerified device!\n Firmware sent to IoT\n`, 0, "unproven"],
};

for (const [name, [output, code, expected]] of Object.entries(TABLE)) {
  Deno.test(`ClassicTranscript: ${name}: ${expected}`, () => {
    assertEquals(codeOf(judge(output, { code, signal: null }).verdict), expected);
  });
}

Deno.test("ClassicTranscript: a signal is a failure whatever the lines say", () => {
  const { verdict } = judge(VERIFIED + SENT + END, { code: 139, signal: "SIGSEGV" });
  assertEquals(codeOf(verdict), "died");
  assert(verdict.kind === "failed");
  assertStringIncludes(verdict.message, "SIGSEGV");
});

Deno.test("ClassicTranscript: success is no receipt", () => {
  assertEquals(judge(VERIFIED + SENT + END).verdict, { kind: "delivered", receipt: false });
});

Deno.test("ClassicTranscript: progress and steps are told as signs, unknown lines as none", () => {
  const { signs } = judge(VERIFIED + SENT + END + "something else\nSent: 1000%\nSent: x%\n");
  assertEquals(signs.map(({ kind }) => kind), [
    "listening",
    "handshake",
    "certificate",
    "attested",
    "sending",
    "sending",
    "sending",
    "half-closed",
  ]);
  assertEquals(signs.flatMap(({ percent }) => percent ?? []), [1, 50, 100]);
});

Deno.test("ClassicTranscript: the sentence quotes the line that decided", () => {
  const { verdict } = judge(`${RECEIVED}{"status": "Certificate Invalid"}\nNot verified device\n`);
  assert(verdict.kind === "failed");
  assertStringIncludes(verdict.message, `'{"status": "Certificate Invalid"}'`);
});
